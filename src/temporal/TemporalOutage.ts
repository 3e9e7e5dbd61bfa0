/** Notices that Temporal's frontend goes away and comes back, and says so once each. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { WorkerConfig } from "../Config.ts"
import { TemporalClient } from "./TemporalClient.ts"

/** Between two questions. */
const EVERY = Duration.seconds(5)
/** Questions without an answer: one is no outage yet. */
const MISSES = 2

/** Does the work each time that the frontend is back; for ever. */
export const afterEachOutage = Effect.fnUntraced(function* <E, R>(work: Effect.Effect<unknown, E, R>) {
  const { temporal } = yield* WorkerConfig
  const client = yield* TemporalClient
  const answers = Effect.delay(client.answers, EVERY)
  const untilAway = Effect.gen(function* () {
    let misses = 0
    while (misses < MISSES) misses = (yield* answers) ? 0 : misses + 1
  })
  yield* untilAway
  while (true) {
    const since = yield* Clock.currentTimeMillis
    yield* Effect.logWarning(
      `Temporal at ${temporal.address} does not answer. Pods run on, and what they reach is told to Temporal when it is back.`
    )
    yield* Effect.repeat(answers, { until: (isBack) => isBack })
    const seconds = Math.round(((yield* Clock.currentTimeMillis) - since) / 1000)
    yield* Effect.logInfo(`Temporal answers again, after ${seconds} s`)
    yield* Effect.raceFirst(Effect.andThen(work, Effect.never), untilAway)
  }
})
