/** What of a run is counted, and that it is counted once. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as TestClock from "effect/testing/TestClock"
import type * as Run from "../../src/status/Run.ts"
import { RunRegistry } from "../../src/status/RunRegistry.ts"
import { testConfigLayer } from "../support/TestConfig.ts"
import { failure, sighting, step } from "./support.ts"

const layer = RunRegistry.layer.pipe(Layer.provide(testConfigLayer()))

/** One worker, with metrics of its own. */
const inWorker = <A, E>(program: Effect.Effect<A, E, RunRegistry>) =>
  program.pipe(
    Effect.provide(layer, { local: true }),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )

/** Values by name and labels; zeros are left out. */
const values = Effect.map(Metric.snapshot, (all) =>
  Object.fromEntries(
    all
      .map((metric) => {
        const labels = Object.values(metric.attributes ?? {}).join(" ")
        const { state } = metric
        const value =
          "count" in state && "sum" in state
            ? `${state.count} in ${state.sum} s`
            : "count" in state
              ? Number(state.count)
              : "value" in state
                ? Number(state.value)
                : 0
        return [`${metric.id} ${labels}`, value] as const
      })
      .filter(([, value]) => value !== 0)
      .toSorted(([one], [other]) => one.localeCompare(other))
  )
)

const attempt = (ending: Run.Ending, over: Partial<Run.Step> = {}, isFinished = false) =>
  Effect.gen(function* () {
    const runs = yield* RunRegistry
    const entry = yield* runs.begin(step(over), over.saves === true ? "saving" : "preparing")
    yield* TestClock.adjust("2 seconds")
    if (over.saves !== true) {
      yield* entry.sighted(sighting({ startedAt: 2_000 }))
      yield* TestClock.adjust("10 seconds")
    }
    yield* entry.ended(ending, isFinished)
  })

describe("the metrics of runs", () => {
  it.effect("a sync is counted once, where its state was saved, and its phases are timed", () =>
    inWorker(
      Effect.gen(function* () {
        yield* attempt({ state: "succeeded" })
        assert.isFalse(Object.keys(yield* values).some((name) => name.startsWith("runs_total")))
        yield* attempt({ state: "succeeded" }, { saves: true, before: "succeeded" })
        assert.deepStrictEqual(yield* values, {
          "run_phase_seconds sync preparing": "1 in 2 s",
          "run_phase_seconds sync running": "1 in 10 s",
          "run_phase_seconds sync saving": "1 in 2 s",
          "runs_total sync Completed": 1
        })
      })
    )
  )

  it.effect("a connector that was over before it was seen to run has run all the same, once", () =>
    inWorker(
      Effect.gen(function* () {
        const entry = yield* Effect.flatMap(RunRegistry, ({ begin }) => begin(step(), "preparing"))
        yield* TestClock.adjust("1 second")
        yield* entry.sighted(sighting({ phase: "starting", startedAt: undefined }))
        yield* TestClock.adjust("9 seconds")
        const over = sighting({ phase: "finishing", startedAt: 3_000, finishedAt: 8_000 })
        yield* entry.sighted(over)
        yield* entry.sighted(over)
        yield* TestClock.adjust("1 second")
        yield* entry.ended({ state: "succeeded" }, false)
        assert.deepStrictEqual(yield* values, {
          "run_phase_seconds sync finishing": "1 in 1 s",
          "run_phase_seconds sync preparing": "1 in 1 s",
          "run_phase_seconds sync running": "1 in 5 s",
          "run_phase_seconds sync starting": "1 in 2 s"
        })
      })
    )
  )

  it.effect("a failure's class is told by the worker that saves, though another one saw it", () =>
    inWorker(
      Effect.gen(function* () {
        yield* attempt({ state: "succeeded" }, { saves: true, before: "failed", beforeType: "OOM" })
        yield* attempt({ state: "succeeded" }, { saves: true, before: "failed", runId: "run-2" })
        const counted = yield* values
        assert.strictEqual(counted["runs_total sync OOM"], 1)
        assert.strictEqual(counted["runs_total sync Unknown"], 1)
      })
    )
  )

  it.effect("a Pod that the cluster took away is an attempt, and so is a save that waits", () =>
    inWorker(
      Effect.gen(function* () {
        yield* attempt({ state: "failed", failure: { ...failure, type: "Evicted" } })
        yield* attempt({ state: "succeeded" }, { saves: true, before: "retrying" })
        yield* attempt({ state: "cancelled" })
        yield* attempt(
          { state: "retrying", failure: { type: "StateUnsaved", cause: "" } },
          { saves: true, before: "cancelled" }
        )
        yield* attempt({ state: "succeeded" }, { saves: true, before: "cancelled", attempt: 2 })
        const counted = yield* values
        assert.deepStrictEqual(
          Object.entries(counted).filter(([name]) => /_total|active/.test(name)),
          [
            ["attempt_failures_total sync Evicted", 1],
            ["attempt_failures_total sync StateUnsaved", 1],
            ["runs_total sync Cancelled", 1]
          ]
        )
      })
    )
  )

  it.effect("a run that is left for another worker is neither counted nor timed here", () =>
    inWorker(
      Effect.gen(function* () {
        yield* attempt({ state: "left" })
        assert.deepStrictEqual(yield* values, { "run_phase_seconds sync preparing": "1 in 2 s" })
      })
    )
  )

  it.effect("an attempt that another one of this worker has taken over is at work once", () =>
    inWorker(
      Effect.gen(function* () {
        const runs = yield* RunRegistry
        const first = yield* runs.begin(step(), "preparing")
        yield* first.sighted(sighting())
        yield* runs.begin(step({ attempt: 2 }), "preparing")
        yield* first.ended({ state: "left" }, false)
        assert.deepStrictEqual(
          Object.entries(yield* values).filter(([name]) => name.startsWith("runs_active")),
          [["runs_active sync preparing", 1]]
        )
      })
    )
  )

  it.effect("a check is counted at its end", () =>
    inWorker(
      Effect.gen(function* () {
        yield* attempt({ state: "failed", failure }, { operation: "check" })
        assert.strictEqual((yield* values)["runs_total check OOM"], 1)
      })
    )
  )
})
