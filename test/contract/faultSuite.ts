/** What a run survives: its Pod taken away, its worker killed, its database gone. Alike on LocalPods and on a cluster. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { eventually } from "../dev/support.ts"
import { ended, start, uniqueId } from "../support/Workflows.ts"
import { World } from "../support/World.ts"

type It = (name: string, test: () => Effect.Effect<void, unknown, World>, timeout?: number) => void

/** A sync whose connector has begun, and runs for so many seconds. */
const running = (seconds: number) =>
  Effect.gen(function* () {
    const { storage, tables } = yield* World
    const row = { version: "v0.0.0-dev", config: JSON.stringify({ scenario: "sleep", seconds }) }
    const jobId = yield* tables.insertJob({
      source: yield* tables.insertSource({ type: "probe", ...row }),
      destination: yield* tables.insertDestination({ type: "iceberg", ...row }),
      streams: `{"streams":[]}`
    })
    const id = uniqueId(`sync-123-${jobId}`)
    const folder = path.join(storage, createHash("sha256").update(id).digest("hex"))
    yield* start("RunSyncWorkflow", id, { command: "sync", job_id: jobId, workflow_id: id })
    const state = path.join(folder, "state.json")
    yield* eventually("the connector has begun", () =>
      fs.existsSync(state) && fs.readFileSync(state, "utf8").includes("0/1") ? true : undefined
    )
    return { id, jobId, folder }
  })

const podNames = Effect.flatMap(World, ({ platform }) => Effect.promise(() => platform.pods()))

const starts = (folder: string): number =>
  fs.readdirSync(path.join(folder, "logs")).filter((name) => name.startsWith("sync_")).length

export const faultSuite = (it: It): void => {
  it(
    "a sync whose Pod somebody deletes goes on in another, from the checkpoint of the first's last second",
    () =>
      Effect.gen(function* () {
        const { platform, tables, temporal, worker } = yield* World
        const { id, jobId, folder } = yield* running(4)
        // Others' Pods may be on their way out.
        const pod = (yield* podNames).find((name) => name.startsWith(`olake-job-${jobId}-`))
        yield* Effect.promise(() => platform.remove(pod ?? "none"))
        // It ends with 0 when it is stopped: that is no success.
        yield* eventually("its checkpoint is saved", () =>
          /DeletedExternally|state saved/.test(worker.output()) ? true : undefined
        )
        const run = yield* ended(id)
        assert.strictEqual(run.status, "COMPLETED", run.message)
        assert.include(yield* tables.jobState(jobId), "0/3")
        assert.strictEqual(starts(folder), 2)
        assert.match(run.history, /TIMER_FIRED/)
        const { stdout } = yield* temporal(["workflow", "show", "--workflow-id", id, "-o", "json"])
        assert.include(stdout, "Somebody deleted the Pod")
      }),
    60_000
  )

  it(
    "Postgres is away when a sync ends: its state is saved once it is back, and the run is completed",
    () =>
      Effect.gen(function* () {
        const { postgres, tables, worker } = yield* World
        const { id, jobId } = yield* running(3)
        yield* postgres.stop
        yield* eventually("the saving was tried in vain", () =>
          worker.output().includes(`cannot save the state of job ${jobId}`) ? true : undefined
        )
        yield* Effect.orDie(postgres.start)
        const run = yield* ended(id)
        assert.strictEqual(run.status, "COMPLETED", run.message)
        assert.include(yield* tables.jobState(jobId), "0/3")
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
        const { platform, tables } = yield* World
        const { id, jobId, folder } = yield* running(6)
        const pod = (yield* podNames).find((name) => name.startsWith(`olake-job-${jobId}-`))
        yield* Effect.promise(() => platform.evict(pod ?? "none"))
        const run = yield* ended(id)
        assert.strictEqual(run.status, "COMPLETED", run.message)
        assert.include(yield* tables.jobState(jobId), "0/3")
        assert.strictEqual(starts(folder), 2)
        assert.include(run.history, "The Pod was evicted from its node")
      }),
    90_000
  )
}
