/** What a run survives: its Pod taken away, its worker killed, its database gone. Alike on LocalPods and on a cluster. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { eventually } from "../dev/support.ts"
import { runningSync, startsIn, stateOf, succeeded } from "../support/Runs.ts"
import { ended } from "../support/Workflows.ts"
import { World } from "../support/World.ts"

type It = (name: string, test: () => Effect.Effect<void, unknown, World>, timeout?: number) => void

const podNames = Effect.flatMap(World, ({ platform }) => Effect.promise(() => platform.pods()))

export const faultSuite = (it: It): void => {
  it(
    "a sync whose Pod somebody deletes goes on in another, from the checkpoint of the first's last second",
    () =>
      Effect.gen(function* () {
        const { platform, temporal, worker } = yield* World
        const { id, jobId, folder } = yield* runningSync(4)
        // Others' Pods may be on their way out.
        const pod = (yield* podNames).find((name) => name.startsWith(`olake-job-${jobId}-`))
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
        const pod = (yield* podNames).find((name) => name.startsWith(`olake-job-${jobId}-`))
        yield* Effect.promise(() => platform.evict(pod ?? "none"))
        const run = yield* ended(id)
        succeeded(run)
        assert.include(yield* stateOf(jobId), "0/3")
        assert.strictEqual(startsIn(folder), 2)
        assert.include(run.history, "The Pod was evicted from its node")
      }),
    90_000
  )
}
