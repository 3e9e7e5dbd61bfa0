import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Run from "../../src/status/Run.ts"
import * as RunChanges from "../../src/status/RunChanges.ts"
import { failure, hostile, sighting, step } from "./support.ts"

const begun = (over: Partial<Run.Step> = {}) => RunChanges.begun(undefined, step(over), "preparing", 1_500)
const running = RunChanges.sighted(begun(), sighting(), 2_500)
const progress = { rows: 10, rowsPerSecond: 5, remainingSeconds: 2, writtenAt: 9_000 }
const saving = (known: Run.Run | undefined, over: Partial<Run.Step> = {}) =>
  RunChanges.begun(known, step({ saves: true, ...over }), "saving", 4_000)
const saved = { state: "succeeded" } as const

describe("a run", () => {
  it("counts the time in a phase from its first sign, whatever else changes", () => {
    const again = RunChanges.sighted(running, sighting({ detail: "still" }), 7_000)
    assert.deepInclude(again, { phase: "running", phaseSince: 2_500, detail: "still" })
    assert.strictEqual(RunChanges.sighted(again, sighting({ phase: "stopping" }), 8_000).phaseSince, 8_000)
  })

  it("waits for its turn once", () => {
    const waiting = RunChanges.begun(undefined, step(), "waiting", 1_000)
    assert.deepInclude(RunChanges.hasTurn(waiting, 2_000), { phase: "preparing", phaseSince: 2_000 })
    assert.strictEqual(RunChanges.hasTurn(running, 9_000), running)
  })

  it("takes its connector's name from its Pod where the request has none", () =>
    assert.strictEqual(RunChanges.sighted(begun({ connector: "" }), sighting(), 2_500).connector, "postgres"))

  it("whose Pod is replaced forgets what the one before has counted and said", () => {
    const line = { time: "", level: "info", message: "of the first" }
    const sampled = RunChanges.sampled(running, { progress, lastLines: [line], isLast: false })
    assert.strictEqual(sampled.progress?.rows, 10)
    const failed = RunChanges.ended(sampled, { state: "failed", failure }, false, 3_000)
    const next = RunChanges.begun(failed, step(), "preparing", 5_000)
    assert.deepInclude(next, { state: "active", failure: undefined, endedAt: undefined })
    const other = RunChanges.sighted(next, sighting({ startedAt: 6_000_000 }), 6_000)
    assert.deepInclude(other, { progress: undefined, lastLines: [] })
    // Its directory still has the first one's file.
    assert.isUndefined(RunChanges.sampled(other, { progress, lastLines: undefined, isLast: false }).progress)
  })

  it("taken over by another attempt keeps them", () => {
    const sampled = RunChanges.sampled(running, { progress, lastLines: [], isLast: false })
    const left = RunChanges.ended(sampled, { state: "left" }, false, 3_000)
    const back = RunChanges.sighted(
      RunChanges.begun(left, step({ attempt: 2 }), "preparing", 5_000),
      sighting(),
      5_500
    )
    assert.deepInclude(back, { attempt: 2, askedAt: 1_000, progress: sampled.progress })
  })

  it("that failed is still failed once its state is saved", () => {
    const failed = RunChanges.ended(running, { state: "failed", failure }, false, 3_000)
    const during = saving(failed)
    assert.deepInclude(during, { state: "active", phase: "saving", failure })
    assert.deepInclude(RunChanges.ended(during, saved, false, 5_000), {
      state: "failed",
      failure,
      endedAt: 5_000
    })
  })

  it("that was cancelled is so, unless its connector had ended well before", () => {
    const during = saving(RunChanges.ended(running, { state: "cancelled" }, false, 3_000))
    assert.strictEqual(RunChanges.ended(during, saved, false, 5_000).state, "cancelled")
    assert.strictEqual(RunChanges.ended(during, saved, true, 5_000).state, "succeeded")
  })

  it("whose state cannot be saved yet is to be tried again, and recovers", () => {
    const unsaved = { type: "StateUnsaved", cause: "not now" }
    const waits = RunChanges.ended(
      saving(RunChanges.ended(running, saved, false, 3_000)),
      { state: "retrying", failure: unsaved },
      false,
      5_000
    )
    assert.deepInclude(waits, { state: "retrying", failure: unsaved })
    const again = RunChanges.ended(saving(waits, { attempt: 2 }), saved, false, 6_000)
    assert.deepInclude(again, { state: "succeeded", failure: undefined })
  })

  it("another worker's, that is only saved here, ends as the workflow says, or nobody knows how", () => {
    assert.strictEqual(
      RunChanges.ended(saving(undefined, { before: "failed" }), saved, false, 5_000).state,
      "failed"
    )
    assert.strictEqual(
      RunChanges.ended(saving(undefined, { before: "retrying" }), saved, false, 5_000).state,
      "retrying"
    )
    assert.strictEqual(RunChanges.ended(saving(undefined), saved, false, 5_000).state, "ended")
  })

  it("is read once after its end, and no more", () => {
    const over = RunChanges.ended(running, saved, false, 3_000)
    assert.isTrue(Run.isReadable(over))
    assert.isFalse(Run.isReadable(RunChanges.sampled(over, { progress, lastLines: undefined, isLast: true })))
    assert.isFalse(Run.isReadable(begun()))
    assert.isFalse(Run.isReadable({ ...running, directory: undefined }))
  })

  it("shows nothing that a terminal would obey", () => {
    for (const text of hostile) {
      const seen = RunChanges.sighted(begun(), sighting({ pod: text, node: text, detail: text }), 2_000)
      for (const shown of [seen.pod, seen.node, seen.detail]) assert.notMatch(shown ?? "", /[\p{Cc}\u202E]/u)
    }
  })
})

describe("a heartbeat's details", () => {
  it("tell phase and progress", () =>
    assert.deepStrictEqual(
      Run.heartbeatOf(RunChanges.sampled(running, { progress, lastLines: undefined, isLast: false })),
      {
        phase: "running",
        since: "1970-01-01T00:00:02.500Z",
        rows: 10,
        rowsPerSecond: 5,
        remainingSeconds: 2,
        percent: 50,
        pod: "olake-job-7-0011223344",
        node: "node-1"
      }
    ))

  it.prop(
    "never exceed 512 bytes, for a larger one fails the activity",
    [Schema.String, Schema.String, Schema.Finite],
    ([pod, node, rows]) => {
      const long = (text: string) => `${text}\u{1F600}`.repeat(100)
      const seen = RunChanges.sighted(begun(), sighting({ pod: long(pod), node: long(node) }), 2_000)
      const run = RunChanges.sampled(seen, {
        progress: { ...progress, rows },
        lastLines: undefined,
        isLast: false
      })
      const details = Run.heartbeatOf(run)
      assert.isAtMost(Buffer.byteLength(JSON.stringify(details)), Run.LARGEST_HEARTBEAT)
      assert.strictEqual(details.phase, "running")
    }
  )
})
