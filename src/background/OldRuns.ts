/** Keeps the shared storage from filling up, for as long as the worker runs. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { WorkerConfig } from "../Config.ts"
import { ownerOf } from "../kubernetes/pod/PodIdentity.ts"
import { PodWatch } from "../kubernetes/PodWatch.ts"
import { ofWriter } from "../olake/Workdir.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"
import { periodically } from "./Periodically.ts"

/** Often enough for a retention of days; a worker that was down at midnight misses nothing. */
const PERIOD = Duration.hours(6)
/** Not while everything starts. */
const FIRST = Duration.minutes(5)

/** One sweep: directories that a Pod mounts are left alone. */
export const sweep = Effect.fn("housekeeping.sweep")(function* (keepFor: Duration.Duration) {
  const storage = yield* SharedStorage
  const watch = yield* PodWatch
  yield* watch.synced
  const active = new Set<string>()
  for (const pod of yield* watch.live) {
    const { workflowId: id } = ownerOf(pod)
    if (id !== undefined) active.add(ofWriter(id)).add(id)
  }
  const now = yield* Clock.currentTimeMillis
  const { removed, trimmed, failed } = yield* storage.sweep({
    now,
    keepFor,
    isActive: (directory) => active.has(directory)
  })
  if (removed.length + trimmed.length > 0) {
    yield* Effect.logInfo(
      `old runs: ${removed.length} removed, ${trimmed.length} left with state.json and streams.json only`
    )
  }
  for (const { directory, reason } of failed)
    yield* Effect.logWarning(`old run ${directory} was not removed: ${reason}`)
})

export const run = Effect.gen(function* () {
  const { logRetention } = (yield* WorkerConfig).storage
  if (logRetention === undefined) return
  return yield* periodically(
    { what: "the removal of old runs", first: FIRST, every: PERIOD },
    sweep(Duration.days(logRetention))
  )
})
