/** The workflow's own table of failures says the same as the verdicts'. */
import { assert, describe, it } from "@effect/vitest"
import { failureClasses, PodFailure } from "../../src/kubernetes/verdict/PodFailure.ts"
import { mayHaveNewPod } from "../../src/workflow/Failures.ts"
import { infra, pauseBefore } from "../../src/workflow/Policy.ts"

describe("a run may have a new Pod", () => {
  for (const kind of failureClasses) {
    const { retry } = new PodFailure({ class: kind, pod: "p" })
    it(`after ${kind}: ${retry}`, () => {
      assert.strictEqual(mayHaveNewPod([kind]), retry !== "no")
      assert.strictEqual(mayHaveNewPod([kind, kind]), retry === "infra")
    })
  }

  it("not after anything else, nor beyond its budget", () => {
    for (const other of ["", "JobNotFound", "ExecutionFailed", "toString"])
      assert.isFalse(mayHaveNewPod([other]))
    const evictions = (count: number) => Array.from({ length: count }, () => "Evicted")
    assert.isTrue(mayHaveNewPod(evictions(infra.budget)))
    assert.isFalse(mayHaveNewPod(evictions(infra.budget + 1)))
  })

  it("after 10 s, doubling to 5 min", () =>
    assert.deepStrictEqual(
      [1, 2, 3, 4, 5, 6, 7].map(pauseBefore),
      [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]
    ))
})
