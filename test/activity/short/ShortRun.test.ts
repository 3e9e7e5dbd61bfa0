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
import type { PodView } from "../../../src/kubernetes/pod/PodView.ts"
import { PodRunner } from "../../../src/kubernetes/PodRunner.ts"
import type { Job } from "../../../src/olake/Job.ts"
import { SharedStorage } from "../../../src/storage/SharedStorage.ts"
import { StorageError } from "../../../src/storage/StorageError.ts"
import { TemporalClient } from "../../../src/temporal/TemporalClient.ts"
import { aPod } from "../../support/PodBuilder.ts"
import { testConfigLayer } from "../../support/TestConfig.ts"

const run = { temporalNamespace: "default", taskQueue: "q", workflowId: "w-1", runId: "r-1" }
const common = {
  connector: "postgres",
  version: "v1",
  config: "{}",
  workflowId: "w-1",
  idField: "WorkflowID" as const,
  jobId: 0,
  keepsLog: false
}
const discovery = { ...common, operation: "discover" as const, streams: "" }
const checking = { ...common, operation: "check" as const, flag: "config" as const }

interface World {
  readonly pod?: Effect.Effect<PodExit>
  readonly prepare?: Effect.Effect<void, StorageError>
  readonly log?: string
  readonly catalog?: string
  readonly own?: PodView
  readonly left?: Array<string>
}

const exit = (over: Partial<PodExit> = {}): PodExit => ({
  view: aPod().exited(0).view(),
  failure: undefined,
  log: Effect.succeed(""),
  ...over
})

/** Jobs that were run are left in `jobs`. */
const world = (
  { pod = Effect.succeed(exit()), prepare = Effect.void, log, catalog, own, left = [] }: World,
  jobs: Array<Job> = []
) =>
  Layer.mergeAll(
    Layer.mock(PodRunner, {
      find: () => Effect.succeed({ own, inTheWay: [] }),
      run: (job) => Effect.suspend(() => (jobs.push(job), pod))
    }),
    Layer.mock(TemporalClient, { namespaceId: Effect.succeed("") }),
    Layer.mock(SharedStorage, {
      prepare: () => prepare,
      list: () => Effect.sync(() => [...left]),
      remove: (_, names) =>
        Effect.sync(() => void left.splice(0, left.length, ...left.filter((name) => !names.includes(name)))),
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

const activity = { run, activityId: "1", attempt: 1, scheduledAt: 0 }
const missing = new StorageError({ operation: "write", path: "/data", reason: "EIO", detail: "" })
const status = `{"connectionStatus":{"status":"FAILED","message":"no route to host"},"type":"CONNECTION_STATUS"}`
const failed = (over: Partial<ConstructorParameters<typeof PodFailure>[0]> = {}) =>
  new PodFailure({ class: "ConnectorFailed", pod: "p", exitCode: 1, ...over })

describe("the time of a short run", () => {
  it.effect("is its Pod's deadline, less what earlier attempts have used", () =>
    Effect.gen(function* () {
      const jobs: Array<Job> = []
      yield* TestClock.adjust("4 minutes")
      yield* discover(discovery, activity).pipe(Effect.provide(world({ catalog: "{}" }, jobs)))
      assert.deepStrictEqual(jobs[0]?.timeout, Duration.minutes(6))
    })
  )

  it.effect("ends a run that does not", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(
        Effect.flip(discover(discovery, activity).pipe(Effect.provide(world({ pod: Effect.never }))))
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
        check(checking, activity).pipe(Effect.provide(world({ prepare: Effect.fail(missing) })))
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
  const answer = (given: World) => check(checking, activity).pipe(Effect.provide(world(given)))

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
            check(checking, { ...activity, attempt: number }).pipe(Effect.provide(world({ pod })))
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
          discover({ ...discovery, workflowId: WorkflowID }, activity).pipe(Effect.provide(world({}, jobs)))
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
          discover({ ...discovery, workflowId }, { ...activity, run: { ...run, workflowId } }).pipe(
            Effect.provide(world({}))
          )
        )
        assert.strictEqual(error._tag, "InvalidRequest")
      }
    })
  )
})

describe("the files of a run", () => {
  for (const [what, own, times] of [
    ["are written where there is no Pod", undefined, 1],
    ["stay as they are where its Pod works with them", aPod().running().view(), 0],
    ["are written anew where its Pod is being deleted", aPod().running().deleted().view(), 1]
  ] as const) {
    it.effect(what, () =>
      Effect.gen(function* () {
        let count = 0
        const prepare = Effect.sync(() => void count++)
        yield* discover(discovery, activity).pipe(
          Effect.provide(world({ catalog: "{}", prepare, ...(own === undefined ? {} : { own }) }))
        )
        assert.strictEqual(count, times)
      })
    )
  }

  it.effect("hold no configs when it is over, nor drafts of them that a killed worker has left", () =>
    Effect.gen(function* () {
      const left = ["config.json", "config.json.worker-0-1f.tmp", "streams.json"]
      yield* discover(discovery, activity).pipe(Effect.provide(world({ catalog: "{}", left })))
      assert.deepStrictEqual(left, ["streams.json"])
    })
  )
})

describe("a discover's catalog", () => {
  it.effect("is refused where Temporal could not carry it", () =>
    Effect.gen(function* () {
      const catalog = JSON.stringify({ streams: "x".repeat(2_200_000) })
      const error = yield* Effect.flip(discover(discovery, activity).pipe(Effect.provide(world({ catalog }))))
      assert.strictEqual(error._tag, "ResultTooLarge")
      assert.isFalse(error.isRetryable)
    })
  )
})
