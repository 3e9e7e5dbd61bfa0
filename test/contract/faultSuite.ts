/** What a run survives: its Pod taken away, its worker killed, its database gone. Alike on LocalPods and on a cluster. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { EXIT_FILE } from "../../src/olake/Workdir.ts"
import { eventually } from "../support/Conditions.ts"
import {
  directoryOf,
  insertProbeJob,
  podOf,
  requestSync,
  runningSync,
  startsIn,
  stateOf,
  succeeded
} from "../support/world/Runs.ts"
import { ended, uniqueId } from "../support/world/Workflows.ts"
import { World } from "../support/world/World.ts"

type It = (name: string, test: () => Effect.Effect<void, unknown, World>, timeout?: number) => void

export const faultSuite = (it: It): void => {
  it(
    "a sync whose Pod somebody deletes goes on in another, from the checkpoint of the first's last second",
    () =>
      Effect.gen(function* () {
        const { platform, temporal, worker } = yield* World
        const { id, jobId, folder } = yield* runningSync(4)
        const pod = yield* podOf(jobId)
        yield* Effect.promise(() => platform.remove(pod ?? "none"))
        // It ends with 0 when it is stopped: that is no success.
        yield* eventually("its checkpoint is saved", () =>
          /DeletedExternally|state saved/.test(worker.output()) ? true : undefined
        )
        const run = yield* ended(id)
        succeeded(run)
        assert.include(yield* stateOf(jobId), "0/3")
        assert.strictEqual(startsIn(folder), 2)
        assert.match(run.history, /TIMER_FIRED/)
        const { stdout } = yield* temporal(["workflow", "show", "--workflow-id", id, "-o", "json"])
        assert.include(stdout, "Somebody deleted the Pod")
      }),
    60_000
  )

  it(
    "a sync that is terminated: the job's next run removes its Pod, saves what it had reached and goes on from there",
    () =>
      Effect.gen(function* () {
        const { temporal, worker, storage } = yield* World
        const config = { scenario: "count", steps: 1_000 }
        const jobId = yield* insertProbeJob({ source: config, destination: config })
        const ids = [1, 2].map((run) => uniqueId(`sync-123-${jobId}-${run}`))
        const counted = (id: string) => {
          const log = path.join(storage, directoryOf(id), "writers.log")
          return fs.existsSync(log) ? fs.readFileSync(log, "utf8") : ""
        }
        const begin = (id: string) => requestSync(jobId, id)
        const [first = "", second = ""] = ids
        yield* begin(first)
        yield* eventually("it has counted", () => (counted(first).includes("beat 3") ? true : undefined))
        yield* temporal(["workflow", "terminate", "--workflow-id", first])
        yield* begin(second)
        yield* eventually("the next one counts", () => (counted(second).includes("begin") ? true : undefined))
        const last = /end (\d+)\n$/.exec(counted(first))?.[1]
        assert.include(counted(second), `begin ${last}\n`)
        assert.include(worker.output(), `the state that workflow ${first} had reached is saved`)
        yield* temporal(["workflow", "cancel", "--workflow-id", second])
        yield* ended(second)
      }),
    60_000
  )

  it(
    "a sync that had ended by itself when its Pod is deleted is Completed, with one Pod",
    () =>
      Effect.gen(function* () {
        const { platform } = yield* World
        const { id, jobId, folder } = yield* runningSync(3)
        const pod = yield* podOf(jobId)
        yield* eventually("it has ended", () => fs.existsSync(path.join(folder, EXIT_FILE)) || undefined)
        // The worker may have been quicker.
        yield* Effect.ignore(Effect.tryPromise(() => platform.remove(pod ?? "none")))
        const run = yield* ended(id)
        succeeded(run)
        assert.include(yield* stateOf(jobId), "0/3")
        assert.strictEqual(startsIn(folder), 1)
        assert.notMatch(run.history, /TIMER_FIRED/)
      }),
    60_000
  )

  it(
    "Postgres is away when a sync ends: its state is saved once it is back, and the run is completed",
    () =>
      Effect.gen(function* () {
        const { postgres, worker } = yield* World
        const { id, jobId } = yield* runningSync(3)
        yield* postgres.stop
        yield* eventually("the saving was tried in vain", () =>
          worker.output().includes(`cannot save the state of job ${jobId}`) ? true : undefined
        )
        yield* Effect.orDie(postgres.start)
        const run = yield* ended(id)
        succeeded(run)
        assert.include(yield* stateOf(jobId), "0/3")
      }),
    90_000
  )
}

/** What only a real cluster does. */
export const clusterFaultSuite = (it: It): void => {
  it(
    "a sync whose Pod is drained from its node goes on in another, and the history says why",
    () =>
      Effect.gen(function* () {
        const { platform } = yield* World
        const { id, jobId, folder } = yield* runningSync(6)
        const pod = yield* podOf(jobId)
        yield* Effect.promise(() => platform.evict(pod ?? "none"))
        const run = yield* ended(id)
        succeeded(run)
        assert.include(yield* stateOf(jobId), "0/3")
        assert.strictEqual(startsIn(folder), 2)
        assert.include(run.history, "The Pod was evicted from its node")
      }),
    90_000
  )

  it(
    "a sync of an image without a shell runs without a marker, at no cost to the run; the image is remembered",
    () =>
      Effect.gen(function* () {
        const { storage, worker } = yield* World
        const version = "v0.0.0-shellless"
        const jobId = yield* insertProbeJob({ version })
        for (const time of ["first", "second"]) {
          const id = yield* requestSync(jobId, uniqueId(`sync-123-${jobId}-${time}`))
          const run = yield* ended(id)
          succeeded(run)
          assert.strictEqual(startsIn(path.join(storage, directoryOf(id))), 1)
          assert.isFalse(fs.existsSync(path.join(storage, directoryOf(id), EXIT_FILE)))
          assert.notMatch(run.history, /TIMER_FIRED|ACTIVITY_TASK_FAILED/)
        }
        const tries = worker.output().split(`${version} runs without a shell around it`).length - 1
        assert.strictEqual(tries, 1)
      }),
    90_000
  )
}
