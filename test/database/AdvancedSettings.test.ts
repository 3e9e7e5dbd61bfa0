import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { needsIndex } from "../../src/database/AdvancedSettings.ts"

describe("advanced settings", () => {
  for (const [text, expected] of [
    ["", false],
    ["null", false],
    ["{}", false],
    [`{"index_required": null}`, false],
    [`{"index_required": false, "max_threads": 5}`, false],
    [`{"index_required": true, "of_a_later_ui": {}}`, true]
  ] as const) {
    it(`${text === "" ? "none" : text}: ${expected ? "an index" : "no index"}`, () =>
      assert.deepStrictEqual(needsIndex(7, text), Result.succeed(expected)))
  }

  for (const text of [`{"index_required": "yes"}`, "[]", `"x"`, "{half"]) {
    it(`${text} is refused for good, by the Go worker's name`, () => {
      const error = Result.getOrThrow(Result.flip(needsIndex(7, text)))
      assert.strictEqual(error._tag, "InvalidAdvanceSettings")
      assert.isFalse(error.isRetryable)
      assert.include(error.message, "job 7")
    })
  }
})
