/** The API server of a real cluster hangs for a minute, while syncs run and end. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { whileFrozen } from "../../dev/cluster/node/Freeze.ts"
import { until } from "../../dev/cluster/Place.ts"
import { notedBy, savedBy } from "../../dev/soak/soak.ts"
import { startReadyWorker } from "../../dev/world/Worker.ts"
import { clusterServers, crowdedWorld } from "../../dev/world/World.ts"

const SYNCS = 20
/** Half seconds: the first ends while nobody can see it, the last long after. */
const stepsOf = (index: number): number => 40 + index * 10

export const freezeSuite = (): void => {
  describe("an API server that hangs for 60 s during 20 syncs", () => {
    it.live(
      "changes nothing: all are completed, each by one connector",
      () =>
        Effect.gen(function* () {
          const world = yield* crowdedWorld("olake-freeze")
          yield* startReadyWorker(world.env)
          const begin = async (index: number) => {
            const steps = stepsOf(index)
            const jobId = await world.newJob({ scenario: "count", steps })
            const workflowId = `sync-123-${jobId}`
            const args = [{ command: "sync", job_id: jobId, workflow_id: workflowId, project_id: "123" }]
            await world.client.workflow.start("RunSyncWorkflow", {
              workflowId,
              taskQueue: world.taskQueue,
              args
            })
            return { jobId, workflowId, steps }
          }
          const runs = yield* Effect.promise(() =>
            Promise.all(Array.from({ length: SYNCS }, (_, i) => begin(i)))
          )
          yield* Effect.promise(() =>
            until("all connectors run", () =>
              Promise.resolve(runs.every(({ workflowId }) => notedBy(world, workflowId).length > 0))
            )
          )
          yield* whileFrozen("kube-apiserver", Effect.sleep("60 seconds"))
          for (const { jobId, workflowId, steps } of runs) {
            // A run that failed, or was handed on, fails here.
            yield* Effect.promise(() => world.client.workflow.getHandle(workflowId).result())
            const noted = notedBy(world, workflowId)
            assert.deepStrictEqual(
              noted.map(({ from, to }) => [from, to]),
              [[0, steps]]
            )
            assert.strictEqual(yield* Effect.promise(() => savedBy(world, jobId)), steps)
          }
        }).pipe(Effect.scoped, Effect.provide(clusterServers)),
      300_000
    )
  })
}
