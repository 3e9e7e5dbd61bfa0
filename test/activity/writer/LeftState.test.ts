/** What a terminated run has left: when it is saved, and when it is not. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as Fiber from "effect/Fiber"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { rescue } from "../../../src/activity/writer/LeftState.ts"
import { Jobs } from "../../../src/database/Jobs.ts"
import { DatabaseError } from "../../../src/database/Query.ts"
import { requestedSync, SYNC_ARGS } from "../../../src/olake/Connector.ts"
import { ofSync } from "../../../src/olake/Workdir.ts"
import { SharedStorage } from "../../../src/storage/SharedStorage.ts"
import { temporaryFolder } from "../../support/Conditions.ts"
import { aPod } from "../../support/PodBuilder.ts"
import { testConfigLayer } from "../../support/TestConfig.ts"

const WORKFLOW = "sync-123-7"
const ofJob = (jobId: number, operation = "sync") =>
  aPod()
    .labelled({ "olake.io/job-id": String(jobId), "olake.io/operation-type": operation })
    .annotated({ "olake.io/workflow-id": WORKFLOW })
    .view()

interface Given {
  readonly pod?: ReturnType<typeof ofJob>
  /** What the connector wrote over the state that it was given; nothing where undefined. */
  readonly left?: string
  readonly rowVersion?: string
  /** Answers of the database, in their order; then it says that it has saved. */
  readonly answers?: ReadonlyArray<Effect.Effect<boolean, DatabaseError>>
}

/** What was saved: job, state and the row's version. */
const rescued = ({ pod = ofJob(7), left, rowVersion = "741", answers = [] }: Given) =>
  Effect.gen(function* () {
    const root = yield* temporaryFolder
    const saved: Array<unknown> = []
    let asked = 0
    const storage = SharedStorage.layer.pipe(
      Layer.provide([NodeFileSystem.layer, testConfigLayer({ storage: { path: root } })])
    )
    const jobs = Layer.mock(Jobs, {
      saveState: (job, state, { version }) =>
        Effect.tap(
          Effect.suspend(() => answers[asked++] ?? Effect.succeed(true)),
          (done) => Effect.sync(() => done && saved.push([job, state, version]))
        )
    })
    yield* Effect.gen(function* () {
      const files = yield* SharedStorage
      const configs = { source: "{}", destination: "{}", streams: "{}", state: `{"lsn": 1}` }
      const run = { args: SYNC_ARGS, jobId: 7, workflowId: WORKFLOW, rowVersion, configs }
      yield* files.prepare(ofSync(WORKFLOW), requestedSync(run, undefined, false).files)
      if (left !== undefined) yield* files.write(ofSync(WORKFLOW), "state.json", left)
      const fiber = yield* Effect.forkChild(rescue(pod))
      let heard = 0
      while (fiber.pollUnsafe() === undefined) {
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        // Files take real time: only between two tries does the clock go on, by the longest pause.
        if (asked === heard) continue
        heard = asked
        yield* TestClock.adjust("15 seconds")
      }
      yield* Fiber.join(fiber)
    }).pipe(Effect.provide([storage, jobs]))
    return saved
  })

const refusing = (code: string) =>
  Effect.fail(new DatabaseError({ operation: "advance", reason: "X", detail: "", code, isRetryable: false }))

describe("the state of a run that nobody ends any more", () => {
  it.effect("is saved against the version of the row that it began with", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* rescued({ left: `{"lsn": 2}` }), [[7, `{"lsn": 2}`, "741"]])
    })
  )

  it.effect("is not what the worker itself had put there, nor what is half written", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* rescued({}), [])
      assert.deepStrictEqual(yield* rescued({ left: `{"lsn":` }), [])
    })
  )

  it.effect("is no other job's, and none of a Pod that does not write", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* rescued({ left: `{"lsn": 2}`, pod: ofJob(8) }), [])
      assert.deepStrictEqual(yield* rescued({ left: `{"lsn": 2}`, pod: ofJob(7, "discover") }), [])
    })
  )

  it.effect("is left alone where the row was written since, and waits for a database that is away", () =>
    Effect.gen(function* () {
      const left = `{"lsn": 2}`
      assert.deepStrictEqual(yield* rescued({ left, answers: [Effect.succeed(false)] }), [])
      const twice = [refusing("08006"), refusing("42501")]
      assert.lengthOf(yield* rescued({ left, answers: twice }), 1)
      // What does not pass is told of, and holds up nobody.
      assert.deepStrictEqual(yield* rescued({ left, answers: [refusing("22P02")] }), [])
    })
  )
})
