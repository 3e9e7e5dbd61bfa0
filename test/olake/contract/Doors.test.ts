/** What the arguments of PostSyncActivity mean, by whose workflow gives them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Doors from "../../../src/olake/contract/Doors.ts"

const wire = { command: "sync", workflow_id: "w-1", job_id: 7, connector_type: "", version: "v1", timeout: 0 }
const opened = (argument: unknown, status?: unknown) =>
  Effect.map(Doors.endSync(Doors.withStatus(argument, status)), ({ outcome, reports }) => ({
    outcome,
    reports
  }))

describe("the end of a sync", () => {
  it.effect("of the Go worker's workflow says how it went in a second argument, or not at all", () =>
    Effect.gen(function* () {
      const said = [
        ["success", "completed", true],
        ["completed", "completed", true],
        ["cancelled", "cancelled", true],
        ["canceled", "cancelled", true],
        // Its SyncActivity has told the UI already.
        ["failed", "failed", false],
        ["another", "unknown", true],
        [2, "unknown", true],
        [null, "unknown", true],
        [undefined, "unknown", true]
      ] as const
      for (const [status, outcome, reports] of said)
        assert.deepStrictEqual(yield* opened(wire, status), { outcome, reports }, String(status))
    })
  )

  it.effect("of this worker's workflow says it itself", () =>
    Effect.gen(function* () {
      for (const status of [undefined, "success"])
        assert.deepStrictEqual(yield* opened({ ...wire, outcome: "failed" }, status), {
          outcome: "failed",
          reports: true
        })
      // The first contract knows no telemetry.
      assert.deepStrictEqual(yield* opened({ JobID: 7, WorkflowID: "w-1" }, "success"), {
        outcome: "unknown",
        reports: false
      })
    })
  )
})
