/** What the worker logs of a run also stands in the run's directory, `logs/worker.log`, which OLake's UI offers to users. */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import { WorkerConfig } from "../Config.ts"
import * as Logging from "../Logging.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"
import type { ActivityError } from "./Activity.ts"

/** Most lines that wait for the storage; what is more is lost. */
const MOST_LINES = 1_000

const EVERY = "2 seconds"
/** Of one write; what it had is tried again. */
const LIMIT = "5 seconds"

/**
 * How a run's activity failed. OLake's UI shows lines with a `category` apart, and one with `tip` as what to do; the class
 * says both.
 */
export const failed = (
  activity: string,
  { message, category, remedy }: Pick<ActivityError, "category" | "message" | "remedy">
): Effect.Effect<void> => {
  if (category === undefined) return Effect.logWarning(`${activity} failed: ${message}`)
  if (remedy === undefined || !message.endsWith(remedy))
    return Effect.logWarning(`${activity} failed: ${message}`, { category })
  const cause = message.slice(0, -remedy.length).trim()
  return Effect.andThen(
    Effect.logError(`${activity} failed: ${cause}`, { category }),
    Effect.logInfo(remedy, { category, tip: true })
  )
}

/** @param directory the run's; lines of before it is made wait for it */
export const keepingLog =
  (directory: string) =>
  <A, E, R>(activity: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | SharedStorage | WorkerConfig> =>
    Effect.gen(function* () {
      const storage = yield* SharedStorage
      const settings = yield* WorkerConfig
      const lines: Array<string> = []
      const logger = Logging.make(
        { ...settings, logging: { ...settings.logging, format: "json" } },
        (line) => lines.length < MOST_LINES && lines.push(`${line}\n`) > 0,
        false
      )
      const flush = Effect.suspend(() => {
        if (lines.length === 0) return Effect.void
        const text = lines.join("")
        const { length } = lines
        return storage.appendWorkerLog(directory, text).pipe(
          Effect.andThen(Effect.sync(() => lines.splice(0, length))),
          Effect.timeout(LIMIT),
          // A log is no reason to fail a run.
          Effect.ignore
        )
      })
      const others = yield* Logger.CurrentLoggers
      return yield* activity.pipe(
        Effect.raceFirst(Effect.repeat(flush, Schedule.spaced(EVERY)).pipe(Effect.andThen(Effect.never))),
        Effect.ensuring(flush),
        Effect.provideService(Logger.CurrentLoggers, new Set([...others, logger]))
      )
    })
