/**
 * Removes runs whose newest file is older than the retention. What a job goes on from stays: state.json and its catalog's files
 * of its latest run. Nothing is touched that does not look like a run's directory.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as path from "node:path"
import { AVAILABLE_FILE, SELECTED_FILE } from "../olake/Catalog.ts"
import { isWriterDirectory, OLD_STATE_MARK, RUN_FILE, STATE_FILE, STREAMS_FILE } from "../olake/Workdir.ts"
import type { Files } from "./Files.ts"
import { parseObject } from "./JsonFile.ts"
import type { StorageError } from "./StorageError.ts"

/** What a sweep goes by. */
export interface Retention {
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly keepFor: Duration.Duration
  /** Whether a Pod works in that directory. */
  readonly isActive: (directory: string) => boolean
}

/** What a sweep did, by the names of directories. */
export interface Swept {
  readonly removed: ReadonlyArray<string>
  /** Left with what their jobs go on from. */
  readonly trimmed: ReadonlyArray<string>
  readonly failed: ReadonlyArray<{ readonly directory: string; readonly reason: string }>
}

/** Of direct requests, by either contract's UI; and what it leaves for a clear-destination. */
const DIRECT =
  /^(?:(?:discover-catalog|convert-streams|test-connection|fetch-spec)-[a-z0-9-]+|difference-[\w-]+-\d+-\d+|sync-[\w-]+-\d+-\d+)$/

/** With the marks of older versions, which tell the worker's own state from a connector's. */
const KEPT: ReadonlyArray<string> = [
  STATE_FILE,
  STREAMS_FILE,
  AVAILABLE_FILE,
  SELECTED_FILE,
  RUN_FILE,
  OLD_STATE_MARK
]

interface Run {
  readonly name: string
  readonly newest: number
  /** Undefined where it is a direct request's; empty where it is not known. */
  readonly job: string | undefined
}

const isGone = ({ reason }: StorageError): boolean => reason === "NotFound"

/** One sweep over the root. What cannot be read or removed does not stop it; only the root itself does. */
export const make = ({ fs, root, inside, attempt, read }: Files) => {
  /** Undefined where it is gone. Links are not followed: they may lead anywhere. */
  const look = (target: string) =>
    attempt("look at", target, fs.lstat(target)).pipe(
      Effect.map(({ type, mtime }) => ({
        type,
        // Without a time it compares as neither old nor any job's latest.
        at: Option.match(mtime, { onNone: () => Number.NaN, onSome: (date) => date.getTime() })
      })),
      Effect.catchIf(isGone, () => Effect.succeed(undefined))
    )

  /** The time of the newest file, or `own` where there is none. Links do not count. */
  const newestIn = Effect.fnUntraced(function* (
    folder: string,
    own: number
  ): Effect.fn.Return<number, StorageError> {
    const names = yield* attempt("list", folder, fs.readDirectory(folder)).pipe(
      Effect.catchIf(isGone, () => Effect.succeed([]))
    )
    let newest: number | undefined
    for (const name of names) {
      const target = path.join(folder, name)
      const entry = yield* look(target)
      if (entry === undefined || entry.type === "SymbolicLink") continue
      const at = entry.type === "Directory" ? yield* newestIn(target, entry.at) : entry.at
      newest = Math.max(newest ?? at, at)
    }
    return newest ?? own
  })

  /** When somebody last wrote there; undefined where it is no directory. */
  const writtenAt = Effect.fnUntraced(function* (name: string) {
    const target = inside(name)
    const entry = yield* look(target)
    return entry?.type === "Directory" ? yield* newestIn(target, entry.at) : undefined
  })

  /** The job that the run's own note names. */
  const jobOf = (name: string) =>
    read(name, RUN_FILE).pipe(
      Effect.flatMap((found) =>
        Option.isNone(found)
          ? Effect.succeed("")
          : Effect.map(parseObject(RUN_FILE, found.value), ({ value }) =>
              Predicate.isNumber(value.jobId) ? String(value.jobId) : ""
            )
      ),
      Effect.orElseSucceed(() => "")
    )

  const runOf = Effect.fnUntraced(function* (name: string) {
    if (!isWriterDirectory(name) && !DIRECT.test(name)) return undefined
    const newest = yield* writtenAt(name)
    if (newest === undefined) return undefined
    const job = isWriterDirectory(name) ? yield* jobOf(name) : undefined
    return { name, newest, job } satisfies Run
  })

  const remove = (target: string) =>
    attempt("remove", target, fs.remove(target, { recursive: true, force: true }))

  /** True where there was something to take away. */
  const trim = Effect.fnUntraced(function* (name: string) {
    const folder = inside(name)
    const names = yield* attempt("list", folder, fs.readDirectory(folder))
    const spare = names.filter((file) => !KEPT.includes(file))
    yield* Effect.forEach(spare, (file) => remove(path.join(folder, file)), { discard: true })
    return { isEmpty: names.length === spare.length, isTrimmed: spare.length > 0 }
  })

  return Effect.fn("LogRetention.sweep")(function* ({ now, keepFor, isActive }: Retention) {
    const before = now - Duration.toMillis(keepFor)
    const isOld = (newest = Number.NaN): boolean => newest < before
    const removed: Array<string> = []
    const trimmed: Array<string> = []
    const failed: Array<{ directory: string; reason: string }> = []
    const guarded = <A>(directory: string, work: Effect.Effect<A, StorageError>) =>
      Effect.catch(work, ({ message }) => {
        failed.push({ directory, reason: message })
        return Effect.succeed(undefined)
      })

    const names = yield* attempt("list", root, fs.readDirectory(root))
    const runs: Array<Run> = []
    for (const name of names.toSorted()) {
      const run = yield* guarded(name, runOf(name))
      if (run !== undefined) runs.push(run)
    }
    /** The latest run of each known job. A run of an unknown one may be any job's latest. */
    const latest = new Map<string, Run>()
    for (const run of runs) {
      const { job = "" } = run
      if (job !== "" && run.newest >= (latest.get(job)?.newest ?? -Infinity)) latest.set(job, run)
    }
    const isNeeded = (run: Run): boolean =>
      run.job !== undefined && (run.job === "" || latest.get(run.job) === run)

    for (const run of runs) {
      if (!isOld(run.newest) || isActive(run.name)) continue
      yield* guarded(
        run.name,
        Effect.gen(function* () {
          // Asked again: somebody may have come back to it, removed it, or put a link in its place.
          if (!isOld(yield* writtenAt(run.name))) return
          if (isNeeded(run)) {
            const { isEmpty, isTrimmed } = yield* trim(run.name)
            if (!isEmpty && isTrimmed) trimmed.push(run.name)
            if (!isEmpty) return
          }
          yield* remove(inside(run.name))
          removed.push(run.name)
        })
      )
    }
    return { removed, trimmed, failed } satisfies Swept
  })
}
