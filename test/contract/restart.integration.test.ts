/** A worker that is replaced while a sync runs: what a rolling update does. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { eventually } from "../support/Conditions.ts"
import { oneResult, runningSync, startsIn, stateOf, succeeded } from "../support/world/Runs.ts"
import { startReadyWorker } from "../../dev/world/Worker.ts"
import { ended } from "../support/world/Workflows.ts"
import { suiteOnLocalPods } from "../support/world/Suites.ts"
import { World } from "../support/world/World.ts"
import { takeoverSuite } from "./takeoverSuite.ts"

suiteOnLocalPods("a takeover from the Go worker on LocalPods", "chart", (it) => {
  takeoverSuite((name, test, timeout) => it.effect(name, test, timeout))
})

suiteOnLocalPods("a death of the worker", "chart", (it) => {
  it.effect(
    "three times in one sync: each next worker takes over at once, long before Temporal would; one Pod, one result",
    () =>
      Effect.gen(function* () {
        const { worker, env } = yield* World
        const { id, jobId, folder } = yield* runningSync(45)
        let current = worker
        // The last one under another name, as a Deployment's next Pod has.
        for (const POD_NAME of ["worker-0", "worker-0", "worker-9"]) {
          yield* current.signal("SIGKILL")
          yield* current.exited
          const next = yield* startReadyWorker({ ...env, POD_NAME })
          yield* eventually(
            "the Pod is taken over",
            () => (next.output().includes("Pod of this run found") ? true : undefined),
            "15 seconds"
          )
          current = next
        }
        const run = yield* ended(id)
        succeeded(run)
        assert.include(yield* stateOf(jobId), "0/3")
        assert.strictEqual(startsIn(folder), 1)
      }),
    120_000
  )
})

suiteOnLocalPods("a worker that stands still", "plain", (it) => {
  it.effect(
    "for 30 s, while syncs run and end: nothing times out, one Pod and one result each",
    () =>
      Effect.gen(function* () {
        const { worker } = yield* World
        const syncs = yield* Effect.forEach([5, 40], (seconds) => runningSync(seconds, (job) => job), {
          concurrency: 2
        })
        // More than a blocked event loop: the SDK's own threads stand still with it.
        yield* worker.signal("SIGSTOP")
        yield* Effect.sleep("30 seconds")
        yield* worker.signal("SIGCONT")
        for (const sync of syncs) {
          const { history } = yield* oneResult(sync)
          assert.notInclude(history, "timeoutFailureInfo")
        }
      }),
    120_000
  )
})

suiteOnLocalPods("a stop of the worker", "plain", (it) => {
  it.effect(
    "leaves the sync's Pod running; the next worker waits on, and one result comes of one Pod",
    () =>
      Effect.gen(function* () {
        const { worker, env, platform } = yield* World
        const { id, jobId, folder } = yield* runningSync(8, (job) => job)
        const began = Date.now()
        yield* worker.signal("SIGTERM")
        assert.strictEqual(yield* worker.exited, 0)
        assert.isBelow(Date.now() - began, 6_000)
        assert.lengthOf(yield* Effect.promise(() => platform.pods()), 1)

        const next = yield* startReadyWorker({ ...env, POD_NAME: "worker-1" })
        const run = yield* ended(id)
        succeeded(run)
        assert.include(next.output(), "Pod of this run found")
        assert.notInclude(next.output(), "Pod created")
        // It ended by itself, never stopped, and wrote one log: one Pod.
        assert.include(yield* stateOf(jobId), "0/3")
        assert.strictEqual(startsIn(folder), 1)
      }),
    60_000
  )
})

suiteOnLocalPods("an operator", "plain", (it) => {
  /** The sync's activity, as Temporal's UI and command line name it. */
  const activityOf = (id: string) =>
    Effect.gen(function* () {
      const { temporal } = yield* World
      const { stdout } = yield* temporal(["workflow", "describe", "--workflow-id", id, "-o", "json"])
      const { pendingActivities } = JSON.parse(stdout) as {
        readonly pendingActivities: ReadonlyArray<{ readonly activityId: string }>
      }
      return ["--workflow-id", id, "--activity-id", pendingActivities[0]?.activityId ?? ""]
    })
  const untilInterrupted = Effect.flatMap(World, ({ worker }) => {
    const before = worker.output().length
    return eventually("the attempt is left", () =>
      worker.output().slice(before).includes("SyncActivity was interrupted") ? true : undefined
    )
  })
  it.effect(
    "pauses a sync's activity and lets it go on: the Pod runs through, one result",
    () =>
      Effect.gen(function* () {
        const { platform, temporal } = yield* World
        const sync = yield* runningSync(8, (job) => job)
        const activity = yield* activityOf(sync.id)
        yield* Effect.all([untilInterrupted, temporal(["activity", "pause", ...activity])], {
          concurrency: 2
        })
        assert.lengthOf(yield* Effect.promise(() => platform.pods()), 1)
        // It ends meanwhile.
        yield* eventually("the connector has ended", () =>
          fs.readFileSync(path.join(sync.folder, "state.json"), "utf8").includes("0/3") ? true : undefined
        )
        yield* temporal(["activity", "unpause", ...activity])
        yield* oneResult(sync)
      }),
    60_000
  )

  it.effect(
    "resets a sync's activity: the next attempt finds the Pod, one result",
    () =>
      Effect.gen(function* () {
        const { temporal, worker } = yield* World
        const sync = yield* runningSync(14, (job) => job)
        const before = worker.output().length
        yield* Effect.all(
          [
            untilInterrupted,
            Effect.flatMap(activityOf(sync.id), (it) => temporal(["activity", "reset", ...it]))
          ],
          { concurrency: 2 }
        )
        yield* oneResult(sync)
        assert.include(worker.output().slice(before), "Pod of this run found")
        assert.notInclude(worker.output().slice(before), "Pod created")
      }),
    60_000
  )
})
