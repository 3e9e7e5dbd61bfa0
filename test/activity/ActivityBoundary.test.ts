import { assert, describe, it } from "@effect/vitest"
import { ApplicationFailure, CancelledFailure } from "@temporalio/common"
import { MockActivityEnvironment } from "@temporalio/testing"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as ActivityBoundary from "../../src/activity/ActivityBoundary.ts"
import { Drain } from "../../src/activity/Drain.ts"
import { SharedStorage } from "../../src/storage/SharedStorage.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

const environment = Layer.mergeAll(Drain.layer, testConfigLayer(), Layer.mock(SharedStorage, {}))

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
const good = { JobID: 1, Name: "n" }

const rejection = (running: Promise<unknown>) =>
  Effect.promise(() =>
    running.then(
      () => undefined,
      (error: unknown) => error
    )
  )

type Program = (
  request: typeof Request.Type,
  run: ActivityBoundary.ActivityRun
) => Effect.Effect<unknown, Refused | Later>

const failureOf = (program: Program, wire: unknown = good) =>
  Effect.gen(function* () {
    const activity = yield* ActivityBoundary.make("Test", Request, program, { detachesOnDrain: false })
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

describe("ActivityBoundary", () => {
  it.live("hands over the decoded request and the run, and returns the result", () =>
    Effect.gen(function* () {
      const activity = yield* ActivityBoundary.make(
        "Test",
        Request,
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

  it.live("heartbeats, and on cancel cleans up before it reports a cancellation", () =>
    Effect.gen(function* () {
      const { started, cleaned, program } = yield* endless
      const activity = yield* ActivityBoundary.make("Test", Request, program, { detachesOnDrain: true })
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
      const activity = yield* ActivityBoundary.make("Test", Request, program, { detachesOnDrain: false })
      const env = new MockActivityEnvironment()
      const running = env.run(activity, good)
      yield* Deferred.await(started)
      env.cancel()
      assert.instanceOf(yield* rejection(running), CancelledFailure)
    }).pipe(Effect.provide(environment))
  )

  it.live("a drain detaches a long wait at once, to be tried again", () =>
    Effect.gen(function* () {
      const { started, program } = yield* endless
      const activity = yield* ActivityBoundary.make("Test", Request, program, { detachesOnDrain: true })
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
      const activity = yield* ActivityBoundary.make("Test", Request, program, { detachesOnDrain: false })
      const running = new MockActivityEnvironment().run(activity, good)
      yield* Deferred.await(started)
      yield* (yield* Drain).begin
      yield* Deferred.succeed(finish, "done")
      assert.strictEqual(yield* Effect.promise(() => running), "done")
    }).pipe(Effect.provide(environment))
  )
})
