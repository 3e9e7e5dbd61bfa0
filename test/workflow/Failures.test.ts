/** Whether a run gets another Pod. */
import { assert, describe, it } from "@effect/vitest"
import type { FailureClass } from "../../src/olake/Failures.ts"
import { mayHaveNewPod } from "../../src/workflow/Failures.ts"
import { infra, pauseBefore } from "../../src/workflow/Policy.ts"

describe("a run may have a new Pod", () => {
  const cases: ReadonlyArray<readonly [ReadonlyArray<FailureClass>, boolean]> = [
    [["Evicted"], true],
    [["Evicted", "Evicted"], true],
    [["Killed"], true],
    [["Killed", "Killed"], false],
    [["Killed", "Evicted", "DeletedExternally"], true],
    [["Killed", "Evicted", "Killed"], false],
    [["ConnectorFailed"], false],
    [["Evicted", "OOM"], false]
  ]
  for (const [kinds, expected] of cases)
    it(`after ${kinds.join(", ")}: ${expected}`, () => assert.strictEqual(mayHaveNewPod(kinds), expected))

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
