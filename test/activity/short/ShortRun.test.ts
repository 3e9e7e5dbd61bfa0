/** Discover and test as programs, on stand-ins for all that is outside. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { discover } from "../../../src/activity/short/Discover.ts"
import { check } from "../../../src/activity/short/Check.ts"
import { PodFailure } from "../../../src/kubernetes/verdict/PodFailure.ts"
import type { FailureClass } from "../../../src/olake/Failures.ts"
import type { PodExit } from "../../../src/kubernetes/PodEnd.ts"
import { PodRunner } from "../../../src/kubernetes/PodRunner.ts"
import type { Job } from "../../../src/olake/Job.ts"
import { SharedStorage } from "../../../src/storage/SharedStorage.ts"
import { StorageError } from "../../../src/storage/StorageError.ts"
import { aPod } from "../../support/PodBuilder.ts"
import { testConfigLayer } from "../../support/TestConfig.ts"

const run = { temporalNamespace: "default", taskQueue: "q", workflowId: "w-1", runId: "r-1" }
const params = {
  SourceType: "postgres",
  Version: "v1",
  Config: "{}",
  WorkflowID: "w-1",
  SourceID: 0,
  DestID: 0,
  JobID: 0,
  StreamsConfig: "",
  Flag: "config" as const
}

interface World {
  readonly pod?: Effect.Effect<PodExit>
  readonly prepare?: Effect.Effect<void, StorageError>
  readonly log?: string
  readonly catalog?: string
}

const exit = (over: Partial<PodExit> = {}): PodExit => ({
  view: aPod().exited(0).view(),
  failure: undefined,
  log: Effect.succeed(""),
  ...over
})

/** Jobs that were run are left in `jobs`. */
const world = (
  { pod = Effect.succeed(exit()), prepare = Effect.void, log, catalog }: World,
  jobs: Array<Job> = []
) =>
  Layer.mergeAll(
    Layer.mock(PodRunner, {
      run: (job, before) =>
        Effect.andThen(
          before,
          Effect.suspend(() => (jobs.push(job), pod))
        )
    }),
    Layer.mock(SharedStorage, {
      prepare: () => prepare,
      connectorLog: () => Effect.succeed(Option.fromNullishOr(log)),
      readJson: () =>
        Effect.succeed(
          Option.map(Option.fromNullishOr(catalog), (text) => ({
            text,
            value: JSON.parse(text) as Record<string, unknown>
          }))
        )
    }),
    testConfigLayer({ timeouts: { discover: Duration.minutes(10), test: Duration.minutes(5) } })
  )

const activity = { run, attempt: 1, scheduledAt: 0 }
const missing = new StorageError({ operation: "write", path: "/data", reason: "EIO", detail: "" })
const status = `{"connectionStatus":{"status":"FAILED","message":"no route to host"},"type":"CONNECTION_STATUS"}`
const failed = (over: Partial<ConstructorParameters<typeof PodFailure>[0]> = {}) =>
  new PodFailure({ class: "ConnectorFailed", pod: "p", exitCode: 1, ...over })

describe("the time of a short run", () => {
  it.effect("is its Pod's deadline, less what earlier attempts have used", () =>
    Effect.gen(function* () {
      const jobs: Array<Job> = []
      yield* TestClock.adjust("4 minutes")
      yield* discover(params, activity).pipe(Effect.provide(world({ catalog: "{}" }, jobs)))
      assert.deepStrictEqual(jobs[0]?.timeout, Duration.minutes(6))
    })
  )

  it.effect("ends a run that does not", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(
        Effect.flip(discover(params, activity).pipe(Effect.provide(world({ pod: Effect.never }))))
      )
      yield* TestClock.adjust("10 minutes")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag, "TimedOut")
      assert.include(error.message, "TIMEOUT_ACTIVITY_DISCOVER")
    })
  )

  it.effect("is over for good, though what kept it from beginning might pass", () =>
    Effect.gen(function* () {
      const attempt = Effect.flip(
        check(params, activity).pipe(Effect.provide(world({ prepare: Effect.fail(missing) })))
      )
      assert.strictEqual((yield* attempt)._tag, "StorageError")
      yield* TestClock.adjust("5 minutes")
      const error = yield* attempt
      assert.strictEqual(error._tag, "TimedOut")
      assert.isFalse(error.isRetryable)
    })
  )
})

describe("a test's answer", () => {
  const answer = (given: World) => check(params, activity).pipe(Effect.provide(world(given)))

  it.effect("is read from the shared storage first", () =>
    Effect.map(
      answer({ log: status, pod: Effect.succeed(exit({ log: Effect.die("not needed") })) }),
      (result) => assert.deepStrictEqual(result, { status: "FAILED", message: "no route to host" })
    )
  )

  it.effect("then from the Pod's status, then from its log", () =>
    Effect.gen(function* () {
      const inStatus = exit({
        view: aPod().exited(1, "Error", 60, `INFO ${status}`).view(),
        failure: failed()
      })
      assert.include(yield* answer({ pod: Effect.succeed(inStatus) }), { message: "no route to host" })
      assert.include(yield* answer({ pod: Effect.succeed(exit({ log: Effect.succeed(status) })) }), {
        message: "no route to host"
      })
    })
  )

  it.effect("does not count where the cluster ended the connector", () =>
    Effect.gen(function* () {
      const evicted = exit({ failure: new PodFailure({ class: "Evicted", pod: "p" }) })
      const error = yield* Effect.flip(answer({ log: status, pod: Effect.succeed(evicted) }))
      assert(error._tag === "PodTaken")
      assert.strictEqual(error.failureType, "Evicted")
      assert.isTrue(error.isRetryable)
    })
  )

  it.effect(
    "is asked for again where the cluster took the Pod, but not for ever, nor after a long wait",
    () =>
      Effect.gen(function* () {
        const attempt = (kind: FailureClass, number: number) => {
          const pod = Effect.succeed(exit({ failure: new PodFailure({ class: kind, pod: "p" }) }))
          return Effect.flip(
            check(params, { ...activity, attempt: number }).pipe(Effect.provide(world({ pod })))
          )
        }
        assert.isTrue((yield* attempt("Preempted", 3)).isRetryable)
        assert.isFalse((yield* attempt("Preempted", 4)).isRetryable)
        for (const kind of ["Unschedulable", "StartTimeout", "OOM", "ConnectorFailed"] as const) {
          assert.isFalse((yield* attempt(kind, 1)).isRetryable)
        }
      })
  )
})

describe("a request reaches its own run only", () => {
  for (const WorkflowID of ["w-2", "../w-1", ".."]) {
    it.effect(`not ${WorkflowID}`, () =>
      Effect.gen(function* () {
        const jobs: Array<Job> = []
        const error = yield* Effect.flip(
          discover({ ...params, WorkflowID }, activity).pipe(Effect.provide(world({}, jobs)))
        )
        assert.strictEqual(error._tag, "InvalidRequest")
        assert.include(error.message, "WorkflowID")
        assert.lengthOf(jobs, 0)
      })
    )
  }

  it.effect("nor a run whose id is no directory's name", () =>
    Effect.gen(function* () {
      for (const workflowId of ["a/b", "telemetry", "0".repeat(64)]) {
        const error = yield* Effect.flip(
          discover({ ...params, WorkflowID: workflowId }, { ...activity, run: { ...run, workflowId } }).pipe(
            Effect.provide(world({}))
          )
        )
        assert.strictEqual(error._tag, "InvalidRequest")
      }
    })
  )
})

describe("a discover's catalog", () => {
  it.effect("is refused where Temporal could not carry it", () =>
    Effect.gen(function* () {
      const catalog = JSON.stringify({ streams: "x".repeat(2_200_000) })
      const error = yield* Effect.flip(discover(params, activity).pipe(Effect.provide(world({ catalog }))))
      assert.strictEqual(error._tag, "ResultTooLarge")
      assert.isFalse(error.isRetryable)
    })
  )
})
