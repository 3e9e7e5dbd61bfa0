/** What the tests of the notifications share: waits that pass at once, and all that was logged. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { inspect } from "node:util"

/**
 * A clock whose waits take no time, and the seconds of each. Real time goes on meanwhile, as sockets need it: a limit is
 * one of `limits`, reached after a moment where it is one of `expired` too, and else never.
 */
export const hastyClock = (limits: ReadonlyArray<number>, expired: ReadonlyArray<number> = []) => {
  const waits: Array<number> = []
  const using = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const sleep = (duration: Duration.Duration) => {
        const seconds = Duration.toSeconds(duration)
        if (limits.includes(seconds))
          return expired.includes(seconds) ? clock.sleep(Duration.millis(100)) : Effect.never
        waits.push(seconds)
        return Effect.yieldNow
      }
      const hasty: Clock.Clock = {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
        currentTimeMillis: clock.currentTimeMillis,
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
        currentTimeNanos: clock.currentTimeNanos,
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
        sleep
      }
      return yield* Effect.provideService(effect, Clock.Clock, hasty)
    })
  return { using, waits }
}

/** Runs with every line noted, as much of it as can be shown. */
export const withLines = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message, cause, fiber }) => {
    const rest = inspect([message, cause, fiber.getRef(References.CurrentLogAnnotations)], { depth: 12 })
    lines.push(`${logLevel.toUpperCase()} ${rest.replace(/\s+/g, " ")}`)
  })
  return effect.pipe(
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(References.MinimumLogLevel, "Trace"),
    Effect.map((result) => ({ result, lines }))
  )
}
