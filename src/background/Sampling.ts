/**
 * Reads what running connectors leave in their runs' directories: how far they are, and their last lines. One file at a
 * time for the whole worker, seldom while nobody looks.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { WorkerConfig } from "../Config.ts"
import { type Mask, maskOf } from "../Masking.ts"
import { lastLogLines } from "../olake/ConnectorOutput.ts"
import { LARGEST_STATS, progressOf } from "../olake/ConnectorStats.ts"
import { STATS_FILE } from "../olake/Workdir.ts"
import { isReadable, type Run } from "../status/Run.ts"
import { RunRegistry } from "../status/RunRegistry.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"

/** Between two rounds. A connector writes every 2 s; heartbeats need no more than now and then. */
const WATCHED = "2 seconds"
const UNWATCHED = "10 seconds"
/** After a call that hung: each of those may hold one of the few threads that file calls have. */
const AFTER_HANG = "1 minute"

const LOG_TAIL = 16 * 1024
const MOST_LINES = 10

const progressIn = Effect.fnUntraced(function* (directory: string) {
  const storage = yield* SharedStorage
  const found = yield* storage.glance(directory, STATS_FILE, LARGEST_STATS)
  if (Option.isNone(found)) return undefined
  const progress = progressOf(found.value.text)
  return progress === undefined ? undefined : { ...progress, writtenAt: found.value.writtenAt }
})

/** Reads one run's directory. What cannot be read is not known; a hung mount is for the caller. */
const read = Effect.fnUntraced(
  function* (run: Run & { readonly directory: string }, withLog: boolean, masked: Mask) {
    const storage = yield* SharedStorage
    const progress = run.operation === "sync" ? yield* progressIn(run.directory) : undefined
    if (!withLog) return { progress, lastLines: undefined }
    const log = yield* storage.connectorLog(run.directory, run.startedAt, LOG_TAIL)
    // Masked before it is cut: half a secret is one too.
    const lines = Option.map(log, (text) => lastLogLines(masked(text), MOST_LINES))
    return { progress, lastLines: Option.getOrUndefined(lines) }
  },
  Effect.catchIf(
    (error) => error._tag === "InvalidFile" || error.reason !== "TimedOut",
    () => Effect.succeed({ progress: undefined, lastLines: undefined })
  )
)

/** Reads what there is of every run; the log only for somebody who looks, and of a run that has ended. */
export const round = Effect.gen(function* () {
  const registry = yield* RunRegistry
  const masked = maskOf(yield* WorkerConfig)
  const isWatched = yield* registry.isWatched
  for (const run of yield* registry.runs) {
    if (!isReadable(run)) continue
    const isOver = run.endedAt !== undefined
    const { progress, lastLines } = yield* read(run, isWatched || isOver, masked)
    yield* registry.sampled(run, { progress, lastLines, isLast: isOver })
  }
})

export const run = Effect.gen(function* () {
  const registry = yield* RunRegistry
  const storage = yield* SharedStorage
  const untilAnswers = Effect.sleep(AFTER_HANG).pipe(
    Effect.andThen(storage.isWritable),
    Effect.repeat({ until: (answers) => answers })
  )
  while (true) {
    yield* round.pipe(
      Effect.catch(() => untilAnswers),
      Effect.catchDefect((defect) => Effect.logError("reading a connector's progress met a bug", defect))
    )
    yield* (yield* registry.isWatched)
      ? Effect.sleep(WATCHED)
      : Effect.raceFirst(Effect.sleep(UNWATCHED), registry.watched)
  }
})
