/** A user cancels a sync in each of its phases. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { eventually } from "../support/Conditions.ts"
import {
  insertProbeJob,
  nothingLeft,
  oneResult,
  podOf,
  requestSync,
  runningSync,
  startsIn,
  stateOf,
  succeeded
} from "../support/world/Runs.ts"
import { ask, startReadyWorker } from "../../dev/world/Worker.ts"
import { ended } from "../support/world/Workflows.ts"
import { suiteOnLocalPods } from "../support/world/Suites.ts"
import { World } from "../support/world/World.ts"

const cancel = (id: string) =>
  Effect.flatMap(World, ({ temporal }) => temporal(["workflow", "cancel", "--workflow-id", id]))

/** Waits until the page of runs has that run in that phase. */
const untilPhase = (workflowId: string, phase: string) =>
  Effect.flatMap(World, ({ healthPort }) =>
    eventually(`${workflowId} is ${phase}`, async () => {
      const { runs } = JSON.parse((await ask(healthPort, "/jobs")).body) as {
        readonly runs: ReadonlyArray<{ readonly workflowId: string; readonly phase: string }>
      }
      return runs.some((run) => run.workflowId === workflowId && run.phase === phase) || undefined
    })
  )

suiteOnLocalPods("a cancel", "chart", (it) => {
  it.effect(
    "while the image is pulled: Canceled, no Pod is left, the state is as it was",
    () =>
      Effect.gen(function* () {
        const jobId = yield* insertProbeJob({ version: "v9.9.9" }, `{"kept": 1}`)
        const id = yield* requestSync(jobId)
        yield* untilPhase(id, "pulling")
        yield* cancel(id)
        assert.strictEqual((yield* ended(id)).status, "CANCELED")
        assert.strictEqual(yield* stateOf(jobId), `{"kept": 1}`)
        yield* nothingLeft
      }),
    60_000
  )

  it.effect(
    "before the Pod, while another run's is waited for: Canceled, the other runs on",
    () =>
      Effect.gen(function* () {
        const sync = yield* runningSync(12)
        const { jobId } = sync
        const second = yield* requestSync(jobId)
        const { worker } = yield* World
        yield* eventually("the second waits", () =>
          worker.output().includes("JobBusy") || worker.output().includes(second) ? true : undefined
        )
        yield* cancel(second)
        assert.strictEqual((yield* ended(second)).status, "CANCELED")
        assert.isDefined(yield* podOf(jobId))
        yield* oneResult(sync)
        yield* nothingLeft
      }),
    60_000
  )

  it.effect(
    "while the state of a sync that has ended is saved: Completed, for it is",
    () =>
      Effect.gen(function* () {
        const { postgres, worker } = yield* World
        const { id, jobId } = yield* runningSync(3)
        yield* postgres.stop
        yield* eventually("the saving was tried in vain", () =>
          worker.output().includes(`cannot save the state of job ${jobId}`) ? true : undefined
        )
        yield* cancel(id)
        yield* Effect.orDie(postgres.start)
        succeeded(yield* ended(id))
        assert.include(yield* stateOf(jobId), "0/3")
        yield* nothingLeft
      }),
    90_000
  )
})

for (const [signal, gone] of [
  ["SIGKILL", "dead"],
  ["SIGTERM", "stopped"]
] as const)
  suiteOnLocalPods(`a cancel while the worker is ${gone}`, "chart", (it) => {
    it.effect(
      "stops the Pod once the next one lives, saves the checkpoint, and ends Canceled",
      () =>
        Effect.gen(function* () {
          const { worker, env } = yield* World
          const { id, jobId, folder } = yield* runningSync()
          yield* worker.signal(signal)
          yield* worker.exited
          yield* cancel(id)
          assert.isDefined(yield* podOf(jobId))
          const next = yield* startReadyWorker({ ...env, POD_NAME: "worker-1" })
          const run = yield* ended(id)
          assert.strictEqual(run.status, "CANCELED")
          assert.include(yield* stateOf(jobId), "0/2")
          assert.strictEqual(startsIn(folder), 1)
          assert.notInclude(next.output(), "Pod created")
          // By the workflow, at once: not when the wait for the Pod is taken over.
          assert.notMatch(next.output(), /taken over now[^]*Pod asked to stop/)
          yield* nothingLeft
        }),
      150_000
    )
  })
