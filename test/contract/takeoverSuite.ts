/** A sync that the Go worker began, in flight, goes on to its end with this worker: the same Pod, one result. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { CLAIM } from "../../dev/world/WorkerEnv.ts"
import { eventually } from "../support/Conditions.ts"
import * as GoWorker from "../support/world/GoWorker.ts"
import {
  directoryOf,
  insertProbeJob,
  startsIn,
  stateOf,
  succeeded,
  untilBegun
} from "../support/world/Runs.ts"
import { startReadyWorker, type WorkerProcess } from "../../dev/world/Worker.ts"
import { ended, start, uniqueId } from "../support/world/Workflows.ts"
import { World } from "../support/world/World.ts"

type It = (name: string, test: () => Effect.Effect<void, unknown, World>, timeout?: number) => void

const IMAGE = "olakego/source-probe:v0.0.0-dev"
const SYNC = ["sync", "--config", "/mnt/config/source.json", "--destination", "/mnt/config/destination.json"]
const CLEAR = ["clear-destination", "--streams", "/mnt/config/streams.json"]

/** A run as the Go worker leaves it: its history, its files, its Pod. */
const begun = (command: "sync" | "clear-destination", config: unknown, status?: string) =>
  Effect.gen(function* () {
    const { storage, platform, env, taskQueue } = yield* World
    const jobId = yield* insertProbeJob({ source: config, destination: config })
    const id = uniqueId(`sync-123-${jobId}`)
    const request = {
      command,
      connector_type: "probe",
      version: "v0.0.0-dev",
      args: command === "sync" ? SYNC : CLEAR,
      configs: null,
      workflow_id: id,
      project_id: "123",
      job_id: jobId,
      timeout: 2_592_000_000_000_000,
      output_file: "state.json",
      temp_path: command === "sync" ? "" : `${id}-1/streams.json`
    }
    fs.mkdirSync(path.join(storage, `${id}-1`))
    fs.writeFileSync(path.join(storage, `${id}-1`, "streams.json"), `{"streams":[]}`)
    yield* start("RunSyncWorkflow", id, request)
    const activity = command === "sync" ? "SyncActivity" : "ExecuteActivity"
    yield* GoWorker.beginAndVanish(env["TEMPORAL_ADDRESS"] ?? "", taskQueue, activity, request, status)
    const folder = GoWorker.writeFiles(storage, id, {
      "source.json": config,
      "destination.json": config,
      "streams.json": { streams: [] },
      "state.json": {}
    })
    const pod = GoWorker.podOf({ workflowId: id, jobId, command, image: IMAGE, claim: CLAIM })
    yield* Effect.promise(() => platform.create(pod))
    yield* untilBegun(folder)
    return { id, jobId, folder }
  })

const started = Effect.flatMap(World, ({ env }) => startReadyWorker(env))

const untouched = (worker: WorkerProcess, folder: string) => {
  assert.include(worker.output(), "Pod of this run found")
  assert.notInclude(worker.output(), "Pod created")
  assert.strictEqual(startsIn(folder), 1)
}

/** Each test has the world's worker stopped. */
export const takeoverSuite = (it: It): void => {
  it(
    "a sync of the Go worker's ends as if nothing had happened",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const world = yield* World
          yield* world.worker.signal("SIGTERM")
          assert.strictEqual(yield* world.worker.exited, 0)
          const { id, jobId, folder } = yield* begun("sync", { scenario: "sleep", seconds: 6 })
          const worker = yield* started
          const run = yield* ended(id)
          succeeded(run)
          assert.deepStrictEqual(run.result, { response: `${directoryOf(id)}/state.json` })
          assert.include(yield* stateOf(jobId), "0/3")
          untouched(worker, folder)
          assert.notIncludeMembers(fs.readdirSync(folder), ["source.json", "destination.json"])
          yield* eventually("its Pod is gone", async () =>
            (await world.platform.pods()).length === 0 ? true : undefined
          )
        })
      ),
    90_000
  )

  it(
    "one that is cancelled after the takeover keeps its last checkpoint",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { temporal } = yield* World
          const { id, jobId, folder } = yield* begun("sync", { scenario: "sleep" })
          const worker = yield* started
          yield* eventually("it is taken over", () =>
            worker.output().includes("Pod of this run found") ? true : undefined
          )
          yield* temporal(["workflow", "cancel", "--workflow-id", id])
          const run = yield* ended(id)
          assert.strictEqual(run.status, "CANCELED")
          assert.include(yield* stateOf(jobId), "0/2")
          untouched(worker, folder)
        })
      ),
    90_000
  )

  it(
    "one whose cleanup the Go worker has asked for, with how the sync went as its second argument",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { heard } = yield* World
          const { id, jobId } = yield* begun("sync", { scenario: "sleep" }, "cancelled")
          yield* started
          succeeded(yield* ended(id))
          assert.include(yield* stateOf(jobId), "0/2")
          const events = heard.filter(({ body }) => body.includes(id)).map(({ body }) => body)
          assert.lengthOf(events, 1)
          assert.include(events[0], `"event":"cancelled"`)
        })
      ),
    90_000
  )

  it(
    "a clear-destination of the Go worker's too",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { id, jobId, folder } = yield* begun("clear-destination", { scenario: "sleep", seconds: 6 })
          const worker = yield* started
          const run = yield* ended(id)
          succeeded(run)
          assert.include(yield* stateOf(jobId), "0/3")
          untouched(worker, folder)
        })
      ),
    90_000
  )

  it(
    "no second writer beside a Pod that the Go worker left of another run",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { platform, storage, temporal } = yield* World
          const { id, jobId } = yield* begun("sync", { scenario: "sleep" })
          // Terminated, so that nothing of it is told to any worker: its Pod writes on.
          yield* temporal(["workflow", "terminate", "--workflow-id", id])
          const worker = yield* started
          const later = uniqueId(`sync-123-${jobId}`)
          yield* start("RunSyncWorkflow", later, {
            command: "sync",
            connector_type: "probe",
            version: "v0.0.0-dev",
            args: SYNC,
            workflow_id: later,
            job_id: jobId
          })
          yield* untilBegun(path.join(storage, directoryOf(later)))
          assert.match(worker.output(), /Pod \S+ of an ended run/)
          assert.notInclude(yield* Effect.promise(() => platform.pods()), id)
          yield* temporal(["workflow", "cancel", "--workflow-id", later])
          assert.strictEqual((yield* ended(later)).status, "CANCELED")
          assert.include(yield* stateOf(jobId), "0/2")
        })
      ),
    90_000
  )
}
