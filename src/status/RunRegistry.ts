/**
 * The runs that this worker works on or lately has: kept in memory, and bounded. Active ones are as many as there are
 * turns and slots; of the others the last ones stay for a while.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { WorkerConfig } from "../Config.ts"
import { maskOf } from "../Masking.ts"
import { type JobsDocument, jobsDocument } from "./Document.ts"
import type * as Run from "./Run.ts"
import * as RunChanges from "./RunChanges.ts"
import * as RunMetrics from "./RunMetrics.ts"

/** Most runs that are kept after their end here, and how long, in milliseconds. */
const MOST_ENDED = 200
const LONGEST_KEPT = Duration.toMillis("24 hours")
/** Somebody who has asked is taken to look on for this long, in milliseconds. */
const LOOKS_ON = Duration.toMillis("30 seconds")

/** One run's place in the registry; what is told after it was given up changes nothing. */
export interface RunEntry {
  readonly current: Effect.Effect<Run.Run>
  /** It waits for its turn no longer. */
  readonly begins: Effect.Effect<void>
  readonly sighted: (seen: Run.Sighting) => Effect.Effect<void>
  readonly ended: (ending: Run.Ending, isFinished: boolean) => Effect.Effect<void>
}

type Key = Pick<Run.Run, "workflowId" | "runId">

interface Entry {
  run: Run.Run
}

const keyOf = ({ workflowId, runId }: Key): string => `${workflowId}\n${runId}`

export class RunRegistry extends Context.Service<
  RunRegistry,
  {
    /** An attempt of one of a run's activities begins here. */
    readonly begin: (step: Run.Step, phase: Run.Phase) => Effect.Effect<RunEntry>
    /** What was found in the directory of a run; secrets are masked already. */
    readonly sampled: (run: Key, sample: Run.Sample) => Effect.Effect<void>
    readonly runs: Effect.Effect<ReadonlyArray<Run.Run>>
    /** For somebody who looks. */
    readonly document: Effect.Effect<JobsDocument>
    /** Whether somebody has looked lately. */
    readonly isWatched: Effect.Effect<boolean>
    /** Waits until somebody looks after nobody did. */
    readonly watched: Effect.Effect<void>
  }
>()("olake-worker/status/RunRegistry") {
  static readonly layer = Layer.effect(
    RunRegistry,
    Effect.gen(function* () {
      const settings = yield* WorkerConfig
      const masked = maskOf(settings)
      const entries = new Map<string, Entry>()
      let looked = Number.NEGATIVE_INFINITY
      let arrival = Latch.makeUnsafe(false)
      const all = () => Array.from(entries.values(), ({ run }) => run)

      const forget = (now: number) => {
        const over = [...entries].filter(([, { run }]) => run.endedAt !== undefined)
        const most = over.length - MOST_ENDED
        for (const [index, [key, { run }]] of over.entries())
          if (index < most || now - (run.endedAt ?? now) > LONGEST_KEPT) entries.delete(key)
      }

      const change = (key: string, how: (run: Run.Run, now: number) => Run.Run) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const entry = entries.get(key)
          if (entry === undefined) return Effect.void
          const before = entry.run
          entry.run = how(before, now)
          return RunMetrics.changed(before, entry.run, now)
        })

      const maskedEnding = ({ state, failure }: Run.Ending): Run.Ending =>
        failure === undefined ? { state } : { state, failure: { ...failure, cause: masked(failure.cause) } }

      const begin = Effect.fnUntraced(function* (step: Run.Step, phase: Run.Phase) {
        const now = yield* Clock.currentTimeMillis
        const key = keyOf(step)
        const before = entries.get(key)?.run
        const entry: Entry = { run: RunChanges.begun(before, step, phase, now) }
        entries.set(key, entry)
        yield* RunMetrics.changed(before, entry.run, now)
        /** Where another attempt has begun here since, this one has no say any more. */
        const tell = (how: (run: Run.Run, now: number) => Run.Run) =>
          Effect.suspend(() => (entries.get(key) === entry ? change(key, how) : Effect.void))
        return {
          current: Effect.sync(() => entry.run),
          begins: tell(RunChanges.hasTurn),
          sighted: (seen) =>
            tell((run, at) => RunChanges.sighted(run, { ...seen, detail: masked(seen.detail) }, at)),
          ended: (ending, isFinished) =>
            tell((run, at) => {
              // Behind those that ended before: the first to end is the first to be forgotten.
              entries.delete(key)
              entries.set(key, entry)
              return RunChanges.ended(run, maskedEnding(ending), isFinished, at)
            }).pipe(Effect.andThen(Effect.map(Clock.currentTimeMillis, forget)))
        } satisfies RunEntry
      })

      return RunRegistry.of({
        begin,
        sampled: (run, sample) => change(keyOf(run), (known) => RunChanges.sampled(known, sample)),
        runs: Effect.sync(all),
        document: Effect.flatMap(Clock.currentTimeMillis, (now) => {
          forget(now)
          looked = now
          const { open } = arrival
          arrival = Latch.makeUnsafe(false)
          return Effect.as(open, jobsDocument(all(), settings.kubernetes.podName, now))
        }),
        isWatched: Effect.map(Clock.currentTimeMillis, (now) => now - looked < LOOKS_ON),
        watched: Effect.suspend(() => arrival.await)
      })
    })
  )
}
