/** How long is waited: between two tries, and for an answer. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/**
 * From `first` doubling to `cap`, and on without an end.
 * @param jittered each pause a fifth shorter or longer, so that many do not ask at the same moment
 * @param times how many pauses there are at most
 */
export const capped = (
  first: Duration.Input,
  cap: Duration.Input,
  { jittered = false, times }: { readonly jittered?: boolean; readonly times?: number } = {}
): Schedule.Schedule<Duration.Duration> => {
  const even = Schedule.min([Schedule.exponential(first), Schedule.spaced(cap)])
  const all = jittered ? Schedule.jittered(even) : even
  return times === undefined ? all : Schedule.upTo(all, { times })
}

/** @param onTimeout what follows where there is no answer in time, which it gets the words for */
export const bounded =
  <A2, E2, R2>(limit: Duration.Input, onTimeout: (problem: string) => Effect.Effect<A2, E2, R2>) =>
  <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A | A2, E | E2, R | R2> =>
    Effect.timeoutOrElse(call, {
      duration: limit,
      orElse: () =>
        onTimeout(
          `no answer in ${typeof limit === "string" ? limit : Duration.format(Duration.fromInputUnsafe(limit))}`
        )
    })
