import { assert, describe, it } from "@effect/vitest"
import { eventOf, type SyncEnd } from "../../../src/activity/telemetry/SyncEnd.ts"
import { type FailureClass, failureClasses } from "../../../src/olake/Failures.ts"

const told = (over: Partial<SyncEnd>, version = "v0.12.0") =>
  eventOf({ outcome: "failed", finished: false, failureType: undefined, version, ...over })

const SILENT = "v0.9.3"

describe("the event at a sync's end", () => {
  it("of one that succeeded is sent by the connector, or for one that does not report", () => {
    assert.isUndefined(told({ outcome: "completed", finished: true }))
    for (const version of [SILENT, "latest"]) {
      assert.deepStrictEqual(told({ outcome: "completed" }, version), { event: "completed" })
      // It had done its work before the cancel reached it.
      assert.deepStrictEqual(told({ outcome: "cancelled", finished: true }, version), { event: "completed" })
    }
  })

  it("of a cancelled one is always the worker's", () => {
    for (const version of [SILENT, "v0.12.0"])
      assert.deepStrictEqual(told({ outcome: "cancelled" }, version), { event: "cancelled" })
  })

  it("of a connector's own failure is the connector's, where it reports", () => {
    assert.isUndefined(told({ failureType: "ConnectorFailed" }))
    assert.deepStrictEqual(told({ failureType: "ConnectorFailed" }, SILENT), { event: "failed" })
  })

  it("of what ended the connector from outside names it", () => {
    const reasons: Partial<Record<FailureClass, string>> = {
      OOM: "oom_killed",
      Evicted: "evicted",
      StorageLimit: "evicted",
      Deadline: "deadline_exceeded",
      DeletedExternally: "pod_removed",
      Preempted: "pod_removed",
      NodeLost: "pod_removed"
    }
    for (const failureType of failureClasses) {
      if (failureType === "ConnectorFailed") continue
      const reason = reasons[failureType]
      const event = { event: "failed" as const, ...(reason === undefined ? {} : { reason }) }
      for (const version of [SILENT, "v0.12.0"])
        assert.deepStrictEqual(told({ failureType }, version), event, failureType)
    }
  })

  it("of a run that never had its connector is the worker's", () => {
    for (const failureType of ["DatabaseError", "InvalidJob", undefined])
      assert.deepStrictEqual(told({ failureType }), { event: "failed" })
  })

  it("is none while the run goes on, or where nobody says how it ended", () => {
    for (const outcome of ["interrupted", "unknown"] as const) assert.isUndefined(told({ outcome }, SILENT))
  })
})
