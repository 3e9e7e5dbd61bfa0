/** What a terminated run has left: when it is saved, and when it is not. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as Fiber from "effect/Fiber"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { release } from "../../../src/activity/writer/LeftState.ts"
import { Jobs } from "../../../src/database/Jobs.ts"
import { DatabaseError } from "../../../src/database/Query.ts"
import { PodRunner } from "../../../src/kubernetes/PodRunner.ts"
import { encodeRunNote, hashOf } from "../../../src/olake/RunNote.ts"
import { ofWriter } from "../../../src/olake/Workdir.ts"
import { SharedStorage } from "../../../src/storage/SharedStorage.ts"
import { temporaryFolder } from "../../support/Conditions.ts"
import { aPod } from "../../support/PodBuilder.ts"
import { testConfigLayer } from "../../support/TestConfig.ts"

const WORKFLOW = "sync-123-7"
const ofJob = (jobId: number, operation = "sync") =>
  aPod()
    .labelled({ "olake.io/job-id": String(jobId), "olake.io/operation-type": operation })
    .annotated({ "olake.io/workflow-id": WORKFLOW, "olake.io/run-id": "r-1" })
    .view()

interface Given {
  readonly pod?: ReturnType<typeof ofJob>
  /** What the connector wrote over the state that it was given; nothing where undefined. */
  readonly left?: string
  /** The run that the directory's note names; none, as workers before 0.2 wrote it, where undefined. */
  readonly runId?: string | undefined
  /** Answers of the database, in their order; then it says that it has saved. */
  readonly answers?: ReadonlyArray<Effect.Effect<boolean, DatabaseError>>
}

/** What was saved: job, state and the row's version. */
const rescued = (given: Given) =>
  Effect.gen(function* () {
    const { pod = ofJob(7), left, answers = [] } = given
    const runId = "runId" in given ? given.runId : "r-1"
    const root = yield* temporaryFolder
    const saved: Array<unknown> = []
    const credentials: Array<string> = []
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
      const state = `{"lsn": 1}`
      const note = { jobId: 7, workflowId: WORKFLOW, rowVersion: "741" }
      const noted = [
        { name: "state.json", content: state },
        { name: "source.json", content: "{}" },
        {
          name: ".olake-run.json",
          content: encodeRunNote(runId === undefined ? note : { ...note, runId, stateHash: hashOf(state) })
        },
        ...(runId === undefined ? [{ name: ".state.json.written", content: hashOf(state) }] : [])
      ]
      yield* files.prepare(ofWriter(WORKFLOW), noted)
      if (left !== undefined) yield* files.write(ofWriter(WORKFLOW), "state.json", left)
      const fiber = yield* Effect.forkChild(release(pod, true))
      let heard = 0
      while (fiber.pollUnsafe() === undefined) {
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        // Files take real time: only between two tries does the clock go on, by the longest pause.
        if (asked === heard) continue
        heard = asked
        yield* TestClock.adjust("15 seconds")
      }
      yield* Fiber.join(fiber)
      credentials.push(...(yield* files.list(ofWriter(WORKFLOW))).filter((name) => name === "source.json"))
    }).pipe(Effect.provide([storage, jobs, Layer.mock(PodRunner, { remove: () => Effect.void })]))
    // They go with the Pod, unless another run has the directory now.
    const isOwn = pod.labels["olake.io/operation-type"] === "sync" && pod.labels["olake.io/job-id"] === "7"
    assert.lengthOf(credentials, isOwn && runId !== "r-2" ? 0 : 1)
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

  it.effect("of a worker before 0.2, which did not name its run, is known by its workflow", () =>
    Effect.gen(function* () {
      const given = { left: `{"lsn": 2}`, runId: undefined }
      assert.deepStrictEqual(yield* rescued(given), [[7, `{"lsn": 2}`, "741"]])
      assert.deepStrictEqual(yield* rescued({ runId: undefined }), [])
    })
  )

  it.effect("is not saved where a later run of the same workflow has the directory", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* rescued({ left: `{"lsn": 2}`, runId: "r-2" }), [])
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
