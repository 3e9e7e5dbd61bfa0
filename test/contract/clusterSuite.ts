/** What only a real kubelet does. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execute, params, uniqueId } from "../support/world/Workflows.ts"
import type { World } from "../support/world/World.ts"

type It = (name: string, test: () => Effect.Effect<void, unknown, World>, timeout?: number) => void

export const clusterSuite = (it: It): void => {
  it("out of memory is named as such, with the limit", () =>
    Effect.gen(function* () {
      const id = uniqueId("test-connection")
      const run = yield* execute("TestConnectionWorkflow", id, params(id, "probe", { scenario: "oom" }))
      assert.strictEqual(run.type, "OOM", run.message)
      assert.include(run.message, "256Mi")
      assert.isTrue(run.nonRetryable)
    }))
}
