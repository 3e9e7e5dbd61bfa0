import { assert, describe, it } from "@effect/vitest"
import { ApplicationFailure, CancelledFailure } from "@temporalio/common"
import { MockActivityEnvironment } from "@temporalio/testing"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import type { ActivityRun } from "../../src/activity/Activity.ts"
import * as Boundary from "../../src/activity/Boundary.ts"
import { Drain } from "../../src/activity/Boundary.ts"
import { plain } from "../../src/olake/contract/Doors.ts"
import { RunRegistry } from "../../src/status/RunRegistry.ts"
import { PodObserver } from "../../src/kubernetes/PodEnd.ts"
import { PodFailure } from "../../src/kubernetes/verdict/PodFailure.ts"
import { aPod } from "../support/PodBuilder.ts"
import { SharedStorage } from "../../src/storage/SharedStorage.ts"
import { StorageError } from "../../src/storage/StorageError.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

const environment = Layer.mergeAll(Drain.layer, RunRegistry.layer, Layer.mock(SharedStorage, {})).pipe(
  Layer.provideMerge(testConfigLayer())
)

class Refused extends Schema.TaggedError<Refused>()("Refused", { message: Schema.String }) {
  readonly isRetryable = false
}
class Later extends Schema.TaggedError<Later>()("Later", {}) {
  override readonly message = "not now"
  readonly isRetryable = true
  readonly failureType = "KubeUnavailable"
  readonly retryDelay = Duration.seconds(30)
}

const Request = Schema.Struct({ JobID: Schema.Int, Name: Schema.String })
const door = plain(Request)
const good = { JobID: 1, Name: "n" }

const rejection = (running: Promise<unknown>) =>
  Effect.promise(() =>
    running.then(
      () => undefined,
      (error: unknown) => error
    )
  )

type Program = (request: typeof Request.Type, run: ActivityRun) => Effect.Effect<unknown, Refused | Later>

const failureOf = (program: Program, wire: unknown = good) =>
  Effect.gen(function* () {
    const activity = yield* Boundary.make("Test", door, program, { detachesOnDrain: false })
    const error = yield* rejection(new MockActivityEnvironment().run(activity, wire))
    assert(error instanceof ApplicationFailure)
    return error
  }).pipe(Effect.provide(environment))

/** A program that says when it runs and when it was interrupted, and waits for ever in between. */
const endless = Effect.gen(function* () {
  const started = yield* Deferred.make<void>()
  const cleaned = yield* Deferred.make<void>()
  const program: Program = () =>
    Deferred.succeed(started, undefined).pipe(
      Effect.andThen(Effect.never),
      Effect.onInterrupt(() => Deferred.succeed(cleaned, undefined))
    )
  return { started: Deferred.await(started), cleaned: Deferred.await(cleaned), program }
})

describe("Boundary", () => {
  it.live("hands over the decoded request and the run, and returns the result", () =>
    Effect.gen(function* () {
      const activity = yield* Boundary.make(
        "Test",
        door,
        ({ JobID }, { run, attempt }) => Effect.succeed({ JobID, attempt, workflowId: run.workflowId }),
        { detachesOnDrain: false }
      )
      const env = new MockActivityEnvironment({ attempt: 3 })
      assert.deepStrictEqual(yield* Effect.promise(() => env.run(activity, { ...good, Extra: 1 })), {
        JobID: 1,
        attempt: 3,
        workflowId: "test"
      })
    }).pipe(Effect.provide(environment))
  )

  for (const [wire, fields] of [
    [null, []],
    ["text", []],
    [[], []],
    [{ JobID: "1", Name: 5 }, ["JobID", "Name"]],
    [{ Name: "n" }, ["JobID"]]
  ] as const) {
    it.live(`refuses ${JSON.stringify(wire)} for good, naming every field`, () =>
      Effect.map(
        failureOf(() => Effect.die("must not run"), wire),
        (error) => {
          assert.strictEqual(error.type, "InvalidRequest")
          assert.strictEqual(error.nonRetryable, true)
          for (const field of fields) assert.include(error.message, field)
        }
      )
    )
  }

  it.live("an error that says it is final is not retried", () =>
    Effect.map(
      failureOf(() => Effect.fail(new Refused({ message: "no" }))),
      (error) => {
        assert.strictEqual(error.type, "Refused")
        assert.strictEqual(error.message, "no")
        assert.strictEqual(error.nonRetryable, true)
      }
    )
  )

  it.live("a passing one is, by its own type and delay, and shows no stack", () =>
    Effect.map(
      failureOf(() => Effect.fail(new Later())),
      (error) => {
        assert.strictEqual(error.type, "KubeUnavailable")
        assert.strictEqual(error.nonRetryable, false)
        assert.strictEqual(error.nextRetryDelay, 30_000)
        assert.strictEqual(error.stack, "")
      }
    )
  )

  it.live("a bug is retried after a minute", () =>
    Effect.map(
      failureOf(() => Effect.die(new Error("oops"))),
      (error) => {
        assert.strictEqual(error.type, "Defect")
        assert.strictEqual(error.nonRetryable, false)
      }
    )
  )

  it.live("a long message is cut", () =>
    Effect.map(
      failureOf(() => Effect.fail(new Refused({ message: "x".repeat(10_000) }))),
      (error) => assert.isBelow(error.message.length, 1600)
    )
  )

  it.live("has as many at work as there are turns; the others wait, and leave when the worker stops", () =>
    Effect.gen(function* () {
      const drain = yield* Drain
      const turns = yield* Semaphore.make(1)
      const { started, program } = yield* endless
      let begun = 0
      const counted: Program = (...given) => Effect.suspend(() => ((begun += 1), program(...given)))
      const activity = yield* Boundary.make("Test", door, counted, {
        detachesOnDrain: false,
        turns
      })
      const first = new MockActivityEnvironment()
      const working = first.run(activity, good)
      yield* started
      const [cancelled, drained] = [new MockActivityEnvironment(), new MockActivityEnvironment()]
      const waiting = [cancelled, drained].map((env) => rejection(env.run(activity, good)))
      const outcomes = yield* Effect.forkChild(Effect.all(waiting, { concurrency: 2 }))
      yield* Effect.yieldNow
      cancelled.cancel()
      yield* drain.begin
      const [one, other] = yield* Fiber.join(outcomes)
      assert.instanceOf(one, CancelledFailure)
      assert(other instanceof ApplicationFailure)
      assert.strictEqual(other.type, "WorkerShutdown")
      assert.strictEqual(other.nonRetryable, false)
      assert.strictEqual(begun, 1)
      first.cancel()
      yield* rejection(working)
      // The turn is free again.
      assert.isTrue(Option.isSome(yield* turns.withPermitsIfAvailable(1)(Effect.void)))
    }).pipe(Effect.provide(environment))
  )

  it.live("writes what it logs into the run's directory too, and runs on where that cannot be", () =>
    Effect.gen(function* () {
      const written: Array<string> = []
      const storage = (works: boolean) =>
        Layer.mock(SharedStorage, {
          appendWorkerLog: (directory, lines) =>
            works
              ? Effect.sync(() => void written.push(directory, lines))
              : Effect.fail(
                  new StorageError({ operation: "write", path: "/x", reason: "ENOSPC", detail: "" })
                )
        })
      const talking: Program = () => Effect.as(Effect.logWarning("something of note"), 7)
      const make = Boundary.make("Test", door, talking, {
        detachesOnDrain: false,
        role: {
          does: "works",
          operation: "check",
          subject: ({ JobID: jobId }) => ({ operation: "check", jobId, connector: "", keepsLog: true })
        }
      })
      for (const works of [true, false]) {
        const activity = yield* make.pipe(
          Effect.provide(
            Layer.mergeAll(Drain.layer, RunRegistry.layer, storage(works)).pipe(
              Layer.provideMerge(testConfigLayer())
            )
          )
        )
        const env = new MockActivityEnvironment()
        assert.strictEqual(yield* Effect.promise(() => env.run(activity, good)), 7)
      }
      assert.strictEqual(written[0], "test")
      const line = (written[1] ?? "").trim().split("\n").at(-1) ?? ""
      assert.include(JSON.parse(line) as Record<string, unknown>, {
        level: "warn",
        message: "something of note",
        workflowId: "test"
      })
    })
  )

  it.live("heartbeats, and on cancel cleans up before it reports a cancellation", () =>
    Effect.gen(function* () {
      const { started, cleaned, program } = yield* endless
      const activity = yield* Boundary.make("Test", door, program, { detachesOnDrain: true })
      const env = new MockActivityEnvironment()
      let beats = 0
      env.on("heartbeat", () => (beats += 1))
      const running = env.run(activity, good)
      yield* started
      env.cancel()
      assert.instanceOf(yield* rejection(running), CancelledFailure)
      yield* cleaned
      assert.isAtLeast(beats, 1)
    }).pipe(Effect.provide(environment))
  )

  it.live("a failure after a cancel is still a cancellation", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const program: Program = () =>
        Deferred.succeed(started, undefined).pipe(
          Effect.andThen(Effect.never),
          Effect.onInterrupt(() => Effect.die(new Error("clean-up went wrong")))
        )
      const activity = yield* Boundary.make("Test", door, program, { detachesOnDrain: false })
      const env = new MockActivityEnvironment()
      const running = env.run(activity, good)
      yield* Deferred.await(started)
      env.cancel()
      assert.instanceOf(yield* rejection(running), CancelledFailure)
    }).pipe(Effect.provide(environment))
  )

  it.live("how a run's activity failed stands in the run's own log", () => {
    let log = ""
    const kept = Layer.mergeAll(
      Drain.layer,
      RunRegistry.layer,
      Layer.mock(SharedStorage, { appendWorkerLog: (_, lines) => Effect.sync(() => void (log += lines)) })
    ).pipe(Layer.provideMerge(testConfigLayer()))
    const subject = { operation: "sync", jobId: 1, connector: "", keepsLog: true } as const
    return Effect.gen(function* () {
      const program: Program = () =>
        Effect.andThen(
          Effect.logWarning("on the way"),
          Effect.fail(new Refused({ message: "the disk is full" }))
        )
      const activity = yield* Boundary.make("Test", door, program, {
        detachesOnDrain: false,
        role: { does: "works", operation: "sync", subject: () => subject }
      })
      yield* rejection(new MockActivityEnvironment().run(activity, good))
      assert.include(log, "on the way")
      assert.include(log, "the disk is full")
    }).pipe(Effect.provide(kept))
  })

  it.live("a failure that OLake's UI marks is two lines: what happened, and what to do", () => {
    let log = ""
    const kept = Layer.mergeAll(
      Drain.layer,
      RunRegistry.layer,
      Layer.mock(SharedStorage, { appendWorkerLog: (_, lines) => Effect.sync(() => void (log += lines)) })
    ).pipe(Layer.provideMerge(testConfigLayer({ kubernetes: { podName: "worker-0" } })))
    const subject = { operation: "sync", jobId: 7, connector: "", keepsLog: true } as const
    const view = aPod().running().view()
    return Effect.gen(function* () {
      const program = () =>
        Effect.gen(function* () {
          const observe = yield* PodObserver
          yield* observe({ view, stage: "queued", message: "" })
          yield* observe({ view, stage: "running", message: "" })
          return yield* new PodFailure({ class: "OOM", pod: view.name, memoryLimit: "64Mi" })
        })
      const activity = yield* Boundary.make("SyncActivity", door, program, {
        detachesOnDrain: false,
        role: { does: "works", operation: "sync", subject: () => subject }
      })
      yield* rejection(new MockActivityEnvironment().run(activity, good))
      const lines = log
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .map(({ level, message, category, tip }) => [level, message, category, tip])
      assert.deepStrictEqual(lines, [
        ["info", "worker worker-0 picked up the sync of job 7, attempt 1", undefined, undefined],
        // Once, however often it is seen.
        [
          "info",
          "Pod olake-job-7-0123456789 is on node node-1, requests none, limits memory=64Mi",
          undefined,
          undefined
        ],
        [
          "error",
          "SyncActivity failed: The connector ran out of memory (limit 64Mi). [Pod olake-job-7-0123456789]",
          "oom",
          undefined
        ],
        ["info", "Raise JOB_MEMORY_LIMIT, or let the connector use fewer threads.", "oom", true]
      ])
    }).pipe(Effect.provide(kept))
  })

  it.live("a drain detaches a long wait at once, to be tried again", () =>
    Effect.gen(function* () {
      const { started, program } = yield* endless
      const activity = yield* Boundary.make("Test", door, program, { detachesOnDrain: true })
      const running = new MockActivityEnvironment().run(activity, good)
      yield* started
      yield* (yield* Drain).begin
      const error = yield* rejection(running)
      assert(error instanceof ApplicationFailure)
      assert.strictEqual(error.type, "WorkerShutdown")
      assert.strictEqual(error.nonRetryable, false)
    }).pipe(Effect.provide(environment))
  )

  it.live("a drain lets short work end", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const finish = yield* Deferred.make<string>()
      const program: Program = () =>
        Effect.andThen(Deferred.succeed(started, undefined), Deferred.await(finish))
      const activity = yield* Boundary.make("Test", door, program, { detachesOnDrain: false })
      const running = new MockActivityEnvironment().run(activity, good)
      yield* Deferred.await(started)
      yield* (yield* Drain).begin
      yield* Deferred.succeed(finish, "done")
      assert.strictEqual(yield* Effect.promise(() => running), "done")
    }).pipe(Effect.provide(environment))
  )
})
