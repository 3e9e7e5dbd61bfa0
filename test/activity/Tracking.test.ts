import { assert, describe, it } from "@effect/vitest"
import { MockActivityEnvironment } from "@temporalio/testing"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Boundary from "../../src/activity/Boundary.ts"
import { Drain } from "../../src/activity/Boundary.ts"
import type { Role } from "../../src/activity/Tracking.ts"
import { PodFailure } from "../../src/kubernetes/verdict/PodFailure.ts"
import { PodObserver } from "../../src/kubernetes/PodEnd.ts"
import { fromPod } from "../../src/kubernetes/pod/PodView.ts"
import { JobBusy } from "../../src/activity/writer/ClaimErrors.ts"
import { ofWriter } from "../../src/olake/Workdir.ts"
import * as Doors from "../../src/olake/contract/Doors.ts"
import { plain } from "../../src/olake/contract/Doors.ts"
import { RunRegistry } from "../../src/status/RunRegistry.ts"
import { SharedStorage } from "../../src/storage/SharedStorage.ts"
import { eventually } from "../support/Conditions.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

const environment = Layer.mergeAll(Drain.layer, RunRegistry.layer, Layer.mock(SharedStorage, {})).pipe(
  Layer.provideMerge(testConfigLayer())
)

const Request = Schema.Struct({ JobID: Schema.Int })
const door = plain(Request)
const sync: Role<typeof Request.Type> = {
  does: "works",
  operation: "sync",
  subject: ({ JobID: jobId }) => ({ operation: "sync", jobId, connector: "", keepsLog: false })
}
const wire = { JobID: 7 }

type Program = Effect.Effect<unknown, PodFailure | JobBusy>

const activityOf = (program: Program, more: Partial<Boundary.BoundaryOptions<typeof Request.Type>> = {}) =>
  Boundary.make("SyncActivity", door, () => program, {
    detachesOnDrain: true,
    role: sync,
    ...more
  })

const first = Effect.flatMap(RunRegistry, ({ runs }) =>
  Effect.flatMap(runs, ([run]) =>
    run === undefined ? Effect.die(new Error("no run is known")) : Effect.succeed(run)
  )
)

const ended = (program: Program) =>
  Effect.gen(function* () {
    const activity = yield* activityOf(program)
    yield* Effect.promise(() => new MockActivityEnvironment().run(activity, wire).catch(() => undefined))
    return yield* first
  }).pipe(Effect.provide(environment))

/** A program that waits until it is interrupted. */
const endless = Effect.map(Deferred.make<void>(), (started) => ({
  started: Deferred.await(started),
  program: Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
}))

const oom = new PodFailure({ class: "OOM", pod: "p", memoryLimit: "256Mi" })

const podOf = (reason: string) =>
  fromPod({
    metadata: { name: "olake-job-7", uid: "u", labels: { "olake.io/connector": "postgres" } },
    spec: { nodeName: "node-1" },
    status: { containerStatuses: [{ name: "connector", state: { running: { startedAt: reason } } }] }
  })

describe("while an activity is at work", () => {
  it.live("its run is known, with what its Pod does, and each heartbeat tells it", () =>
    Effect.gen(function* () {
      const { started, program } = yield* endless
      const watching = Effect.gen(function* () {
        const observe = yield* PodObserver
        const view = podOf("2026-11-24T04:00:00Z")
        yield* observe({ view, stage: "pulling", message: "its image is not there yet" })
        yield* observe({ view, stage: "running", message: "running" })
        yield* program
      })
      const activity = yield* activityOf(watching)
      const env = new MockActivityEnvironment({ attempt: 3 })
      const heard: Array<unknown> = []
      env.on("heartbeat", (details) => heard.push(details))
      const running = env.run(activity, wire).catch(() => undefined)
      yield* started
      assert.deepInclude(yield* first, {
        operation: "sync",
        jobId: 7,
        state: "active",
        phase: "running",
        detail: "",
        connector: "postgres",
        pod: "olake-job-7",
        node: "node-1",
        attempt: 3,
        startedAt: Date.parse("2026-11-24T04:00:00Z"),
        directory: ofWriter("test")
      })
      yield* eventually("a heartbeat tells of the Pod", () =>
        heard.some((details) => JSON.stringify(details).includes(`"phase":"running","since"`))
          ? true
          : undefined
      )
      env.cancel()
      yield* Effect.promise(() => running)
      assert.strictEqual((yield* first).state, "cancelled")
    }).pipe(Effect.provide(environment))
  )

  it.live("waits for its turn, and that shows", () =>
    Effect.gen(function* () {
      const turns = yield* Semaphore.make(1)
      yield* turns.take(1)
      const { started, program } = yield* endless
      const activity = yield* activityOf(program, { turns })
      const env = new MockActivityEnvironment()
      const running = env.run(activity, wire).catch(() => undefined)
      const { runs } = yield* RunRegistry
      yield* eventually("it is known", async () =>
        (await Effect.runPromise(runs)).length > 0 ? true : undefined
      )
      assert.strictEqual((yield* first).phase, "waiting")
      yield* turns.release(1)
      yield* started
      assert.strictEqual((yield* first).phase, "preparing")
      env.cancel()
      yield* Effect.promise(() => running)
    }).pipe(Effect.provide(environment))
  )
})

describe("how it ends", () => {
  it.live("well", () =>
    Effect.map(ended(Effect.succeed(1)), (run) =>
      assert.deepInclude(run, { state: "succeeded", failure: undefined })
    )
  )

  it.live("failed: cause and remedy are the failure's own text", () =>
    Effect.map(ended(Effect.fail(oom)), ({ state, failure }) => {
      assert.strictEqual(state, "failed")
      assert.strictEqual(failure?.type, "OOM")
      assert.strictEqual(failure?.remedy, oom.remedy)
      assert.strictEqual(`${failure?.cause} ${failure?.remedy}`, oom.message)
    })
  )

  it.live("for now: another attempt follows", () =>
    Effect.map(
      ended(
        Effect.fail(
          new JobBusy({
            pod: "p",
            namespace: "jobs",
            jobId: 7,
            workflowId: "w",
            temporalNamespace: "default",
            temporalNamespaceId: "",
            isForeign: false
          })
        )
      ),
      ({ state, failure }) => assert.deepStrictEqual([state, failure?.type], ["retrying", "JobBusy"])
    )
  )

  it.live("by a bug: another attempt follows", () =>
    Effect.map(ended(Effect.die(new Error("a bug"))), ({ state, failure }) => {
      assert.deepStrictEqual([state, failure?.type], ["retrying", "Defect"])
      assert.include(failure?.cause, "a bug")
    })
  )

  it.live("by a cancel that its Pod heard of first", () =>
    Effect.map(ended(Effect.fail(new PodFailure({ class: "Stopped", pod: "p" }))), ({ state }) =>
      assert.strictEqual(state, "cancelled")
    )
  )

  it.live("left for another worker, as this one stops", () =>
    Effect.gen(function* () {
      const { started, program } = yield* endless
      const activity = yield* activityOf(program)
      const running = new MockActivityEnvironment().run(activity, wire).catch(() => undefined)
      yield* started
      yield* (yield* Drain).begin
      yield* Effect.promise(() => running)
      assert.strictEqual((yield* first).state, "left")
    }).pipe(Effect.provide(environment))
  )

  it.live("an activity without a role is no run's", () =>
    Effect.gen(function* () {
      const activity = yield* Boundary.make("StopActivity", door, () => Effect.void, {
        detachesOnDrain: false
      })
      yield* Effect.promise(() => new MockActivityEnvironment().run(activity, wire))
      assert.deepStrictEqual(yield* (yield* RunRegistry).runs, [])
    }).pipe(Effect.provide(environment))
  )
})

describe("a request", () => {
  const runOf = (wire: unknown) =>
    Effect.gen(function* () {
      const running = yield* Boundary.make("PostSyncActivity", Doors.endSync, () => Effect.void, {
        detachesOnDrain: false,
        role: { does: "saves", operation: "sync", subject: (request) => request }
      })
      yield* Effect.promise(() => new MockActivityEnvironment().run(running, wire).catch(() => undefined))
      return yield* first
    }).pipe(Effect.provide(environment))

  it.live("that ends a run tells how the step before went", () =>
    Effect.map(
      runOf({
        command: "sync",
        workflow_id: "test",
        job_id: 9,
        connector_type: "mysql",
        outcome: "failed",
        failure_type: "OOM"
      }),
      (run) => {
        assert.deepInclude(run, {
          operation: "sync",
          jobId: 9,
          connector: "mysql",
          directory: ofWriter("test"),
          state: "failed"
        })
        assert.strictEqual(run.worked?.state, "failed")
      }
    )
  )

  for (const nonsense of [
    null,
    7,
    [],
    { command: "../x", job_id: -1, connector_type: {}, outcome: "toString" }
  ])
    it.live(`${JSON.stringify(nonsense)} is of the usual operation, and of no job`, () =>
      Effect.map(runOf(nonsense), (run) =>
        assert.deepInclude(run, { operation: "sync", jobId: 0, connector: "", state: "failed" })
      )
    )
})
