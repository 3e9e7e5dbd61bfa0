import { assert, describe, it } from "@effect/vitest"
import { jobsDocument } from "../../src/status/Document.ts"
import * as RunChanges from "../../src/status/RunChanges.ts"
import { render, span } from "../../src/status/Terminal.ts"
import { failure, hostile, sighting, step } from "./support.ts"

const plain = { colours: false, width: undefined }
const active = RunChanges.sampled(
  RunChanges.sighted(RunChanges.begun(undefined, step(), "preparing", 0), sighting(), 1_000),
  {
    progress: { rows: 12_345, rowsPerSecond: 150.4, remainingSeconds: 82.3, writtenAt: 4_000 },
    lastLines: [{ time: "2026-11-24T04:00:01Z", level: "info", message: "reading public.orders" }],
    isLast: false
  }
)
const failed = RunChanges.ended(
  RunChanges.begun(
    undefined,
    step({ workflowId: "w-8", jobId: 0, operation: "check", attempt: 2 }),
    "preparing",
    0
  ),
  { state: "failed", failure },
  false,
  5_000
)

describe("olake-worker jobs", () => {
  it("prints plain lines where nobody looks at a terminal", () =>
    assert.deepStrictEqual(render(jobsDocument([failed, active], "worker-0", 65_000), plain), [
      "Worker worker-0: 1 active, 1 before",
      "",
      "● sync of job 7  postgres  running, 1 min 4 s",
      "  ███████████████░░░░░░░░░░░░░░░ 50 %  12,345 rows  150 rows/s  1 min 22 s left",
      "  Pod olake-job-7-0011223344 on node-1  sync-123-7",
      "  04:00:01 info reading public.orders",
      "",
      "✗ check  postgres  failed, 1 min 0 s ago  attempt 2",
      "  w-8",
      "  OOM: The connector ran out of memory (limit 256Mi). [container connector of Pod p: OOMKilled]",
      "  What to do: Raise JOB_MEMORY_LIMIT."
    ]))

  it("cuts what is wider than the terminal, and colours it", () => {
    const lines = render(jobsDocument([failed, active], "worker-0", 65_000), { colours: true, width: 40 })
    assert.include(lines.join("\n"), "\u001b[31m✗\u001b[0m")
    // eslint-disable-next-line no-control-regex -- colours take no room
    for (const line of lines) assert.isAtMost(line.replaceAll(/\u001b\[\d+m/g, "").length, 40)
  })

  it("says that there are more than it shows, and that there is nothing", () => {
    const many = Array.from({ length: 501 }, (_, n) => ({ ...active, workflowId: `w-${n}` }))
    assert.strictEqual(render(jobsDocument(many, "w", 0), plain).at(-1), "1 more are not shown")
    assert.deepStrictEqual(render(jobsDocument([], "w", 0), plain), ["Worker w: 0 active, 0 before"])
  })

  it("lets no text of a run rule the terminal", () => {
    for (const text of hostile) {
      const seen = RunChanges.sighted(active, sighting({ pod: text, detail: text }), 2_000)
      const over = RunChanges.ended(
        seen,
        { state: "failed", failure: { type: text, cause: text, remedy: text } },
        false,
        3_000
      )
      assert.notMatch(render(jobsDocument([seen, over], "w", 9_000), plain).join("\t"), /[^\P{Cc}\t]|\u202E/u)
    }
  })

  for (const [seconds, words] of [
    [0, "0 s"],
    [59.4, "59 s"],
    [61, "1 min 1 s"],
    [7_322, "2 h 2 min"],
    [200_000, "2 d 7 h"]
  ] as const) {
    it(`${seconds} seconds are ${words}`, () => assert.strictEqual(span(seconds), words))
  }
})
