/** What all metrics share: buckets, and how the time of a call is taken. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/** Before each name, wherever the metrics go. */
export const PREFIX = "olake_worker"

/** Upper bounds in seconds, for one call of something near: 5 ms to 30 s. */
const CALL = Metric.boundariesFromIterable([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30])

export const callSeconds = (name: string, description: string): Metric.Histogram<number> =>
  Metric.histogram(name, { description, boundaries: CALL })

/**
 * Takes the time of a call, in seconds, whichever way it ends; not of one that is interrupted.
 * @param resultOf the label `result` of a failure; `ok` otherwise. Few words, never a text of somebody else's.
 */
export const timed =
  <E>(
    histogram: Metric.Histogram<number>,
    labels: Readonly<Record<string, string>>,
    resultOf: (error: E) => string
  ) =>
  <A, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Clock.currentTimeMillis, (began) => {
      const told = (result: string) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Metric.update(Metric.withAttributes(histogram, { ...labels, result }), (now - began) / 1_000)
        )
      return call.pipe(
        Effect.tap(() => told("ok")),
        Effect.tapError((error) => told(resultOf(error)))
      )
    })
