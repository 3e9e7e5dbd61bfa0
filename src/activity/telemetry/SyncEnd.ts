/**
 * Which event tells OLake's UI how a sync ended. A connector that reports itself has told how it came to its own end; the
 * worker tells what such a connector cannot: a cancel, a Pod that never began or was taken away. Pure.
 */
import { failures, isFailureClass } from "../../olake/Failures.ts"
import type { Outcome } from "../../olake/Outcome.ts"
import { reportsItself } from "../../olake/telemetry/Payload.ts"

export interface EndEvent {
  readonly event: "completed" | "failed" | "cancelled"
  /** What ended the connector from outside. */
  readonly reason?: string
}

/** How a sync ended. */
export interface SyncEnd {
  readonly outcome: Outcome
  /** Whether the connector had done all its work, whatever became of the run. */
  readonly finished: boolean
  /** Type of the failure that ended it. */
  readonly failureType: string | undefined
  readonly version: string
}

const reasonOf = (type: string): string | undefined => {
  if (!isFailureClass(type)) return undefined
  const kind = failures[type]
  return "killedAs" in kind ? kind.killedAs : undefined
}

export const eventOf = ({ outcome, finished, failureType = "", version }: SyncEnd): EndEvent | undefined => {
  const isTold = reportsItself(version)
  if (outcome === "completed" || finished) return isTold ? undefined : { event: "completed" }
  if (outcome === "cancelled") return { event: "cancelled" }
  if (outcome !== "failed" || (isTold && failureType === "ConnectorFailed")) return undefined
  const reason = reasonOf(failureType)
  return reason === undefined ? { event: "failed" } : { event: "failed", reason }
}
