import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { MOST_RUNS } from "../../src/status/Document.ts"
import { RunRegistry } from "../../src/status/RunRegistry.ts"
import { testConfigLayer } from "../support/TestConfig.ts"
import { failure, sighting, step } from "./support.ts"

const registry = RunRegistry.layer.pipe(
  Layer.provide(testConfigLayer({ database: { password: Redacted.make("marker-password") } }))
)

const line = { time: "2026-11-24T04:00:00Z", level: "info", message: "x".repeat(300) }

/** A run as large as one can be told. */
const ended = (number: number) =>
  Effect.gen(function* () {
    const runs = yield* RunRegistry
    const own = step({ workflowId: `sync-123-${number}`, runId: `run-${number}` })
    const entry = yield* runs.begin(own, "preparing")
    yield* entry.sighted(sighting({ detail: "d".repeat(10_000) }))
    yield* runs.sampled(own, {
      progress: undefined,
      lastLines: Array.from({ length: 10 }, () => line),
      isLast: false
    })
    yield* entry.ended({ state: "failed", failure: { ...failure, cause: "c".repeat(10_000) } }, false)
  })

describe("the registry", () => {
  it.effect("stays bounded with thousands of runs: the last ones stay, active ones all", () =>
    Effect.gen(function* () {
      const runs = yield* RunRegistry
      const active = yield* Effect.forEach(Array.from({ length: 1_000 }), (_, n) =>
        runs.begin(step({ workflowId: `active-${n}` }), "preparing")
      )
      for (let number = 0; number < 5_000; number++) yield* ended(number)
      const known = yield* runs.runs
      assert.lengthOf(known, 1_200)
      const kept = known.filter(({ endedAt }) => endedAt !== undefined).map(({ workflowId }) => workflowId)
      assert.deepStrictEqual([kept[0], kept.at(-1)], ["sync-123-4800", "sync-123-4999"])
      // About 6 KB each at the most.
      assert.isBelow(JSON.stringify(known).length, 200 * 6_000 + 1_000 * 1_000)
      const document = yield* runs.document
      assert.lengthOf(document.runs, MOST_RUNS)
      assert.strictEqual(document.omitted, 1_200 - MOST_RUNS)
      for (const entry of active) yield* entry.ended({ state: "succeeded" }, false)
      assert.lengthOf(yield* runs.runs, 200)
    }).pipe(Effect.provide(registry))
  )

  it.effect("forgets after a day", () =>
    Effect.gen(function* () {
      const runs = yield* RunRegistry
      yield* ended(1)
      yield* TestClock.adjust("23 hours")
      assert.lengthOf((yield* runs.document).runs, 1)
      yield* TestClock.adjust("2 hours")
      assert.lengthOf((yield* runs.document).runs, 0)
    }).pipe(Effect.provide(registry))
  )

  it.effect("an attempt that another one has replaced has no say any more", () =>
    Effect.gen(function* () {
      const runs = yield* RunRegistry
      const first = yield* runs.begin(step(), "preparing")
      const second = yield* runs.begin(step({ attempt: 2 }), "preparing")
      yield* second.sighted(sighting())
      yield* first.ended({ state: "failed", failure }, false)
      yield* first.sighted(sighting({ phase: "stopping" }))
      assert.deepInclude((yield* runs.runs)[0], { state: "active", phase: "running", attempt: 2 })
    }).pipe(Effect.provide(registry))
  )

  it.effect("masks the worker's own secrets", () =>
    Effect.gen(function* () {
      const runs = yield* RunRegistry
      const entry = yield* runs.begin(step(), "preparing")
      yield* entry.sighted(sighting({ detail: "with marker-password" }))
      assert.notInclude(JSON.stringify(yield* runs.document), "marker")
      // The secret stands where the text is cut.
      const cause = `${"x".repeat(1_493)}marker-password`
      yield* entry.ended({ state: "failed", failure: { type: "T", cause } }, false)
      assert.notInclude(JSON.stringify(yield* runs.document), "marker")
    }).pipe(Effect.provide(registry))
  )

  it.effect("shows active runs first, then the last to end", () =>
    Effect.gen(function* () {
      const runs = yield* RunRegistry
      for (const number of [1, 2]) {
        yield* ended(number)
        yield* TestClock.adjust("1 minute")
      }
      yield* runs.begin(step({ workflowId: "later", askedAt: 5_000 }), "preparing")
      yield* runs.begin(step({ workflowId: "earlier", askedAt: 4_000 }), "preparing")
      yield* TestClock.adjust("90 seconds")
      const { runs: shown } = yield* runs.document
      assert.deepStrictEqual(
        shown.map(({ workflowId }) => workflowId),
        ["earlier", "later", "sync-123-2", "sync-123-1"]
      )
      assert.deepInclude(shown[0], { phase: "preparing", secondsInPhase: 90 })
    }).pipe(Effect.provide(registry))
  )

  it.effect("knows whether somebody looks", () =>
    Effect.gen(function* () {
      const runs = yield* RunRegistry
      const waiting = yield* Effect.forkChild(runs.watched)
      yield* Effect.yieldNow
      assert.isFalse(yield* runs.isWatched)
      yield* runs.document
      yield* Fiber.join(waiting)
      assert.isTrue(yield* runs.isWatched)
      yield* TestClock.adjust("31 seconds")
      assert.isFalse(yield* runs.isWatched)
    }).pipe(Effect.provide(registry))
  )
})
