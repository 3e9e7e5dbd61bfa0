/** What a workflow reads in an activity's failure. */
import { ActivityFailure, ApplicationFailure, TemporalFailure } from "@temporalio/workflow"
import type { FailureClass } from "../kubernetes/PodFailure.ts"

const applicationCause = (error: unknown): ApplicationFailure | undefined =>
  error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause : undefined

export const typeOf = (error: unknown): string => applicationCause(error)?.type ?? ""

/** The innermost message: ours have one only, the Go worker's wrap each other. */
export const textOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error instanceof TemporalFailure && error.cause !== undefined ? textOf(error.cause) : error.message
}

/** One failure that says both; its type is the first one's. */
export const combined = (failure: unknown, besides: string): ApplicationFailure =>
  ApplicationFailure.create({
    type: applicationCause(failure)?.type ?? "SyncFailed",
    message: `${textOf(failure)} ${besides}`,
    nonRetryable: true
  })

/** Verdicts on a Pod: such a run had one, and with it a directory. */
const OF_POD = {
  ConnectorFailed: true,
  OOM: true,
  StorageLimit: true,
  ImageUnpullable: true,
  BadConfig: true,
  Deadline: true,
  Unschedulable: true,
  StartTimeout: true,
  Evicted: true,
  Preempted: true,
  NodeShutdown: true,
  NodeLost: true,
  AdmissionRejected: true,
  Interrupted: true,
  Killed: true,
  DeletedExternally: true,
  Stopped: true
} satisfies Record<FailureClass, true>

/** Whether the run surely has a directory: one that is missing then is the storage's trouble. */
export const began = (failure: unknown, cancelled: boolean): boolean =>
  failure === undefined || (!cancelled && typeOf(failure) in OF_POD)
