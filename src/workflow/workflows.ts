/** The workflows that OLake's UI starts, by their Temporal names. Runs in Temporal's sandbox: data in, commands out. */
import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  ActivityFailure,
  proxyActivities,
  workflowInfo
} from "@temporalio/workflow"
import type { Activities } from "../activity/Activities.ts"
import * as Policy from "./Policy.ts"

const { DiscoverCatalogActivity, TestConnectionActivity } = proxyActivities<Activities>(Policy.short)

export const DiscoverCatalogWorkflow = (params: unknown) => DiscoverCatalogActivity(params)

export const TestConnectionWorkflow = (params: unknown) => TestConnectionActivity(params)

/** @param jobId the bare number that OLake's schedules carry */
export async function RunSyncWorkflow(jobId: unknown): Promise<unknown> {
  const { taskQueue, workflowId } = workflowInfo()
  const queue = Policy.syncQueue(taskQueue)
  const { SyncActivity } = proxyActivities<Activities>({ ...Policy.sync, taskQueue: queue })
  const { PostSyncActivity } = proxyActivities<Activities>({ ...Policy.persist, taskQueue: queue })
  const params = { JobID: jobId, WorkflowID: workflowId }
  const failure = await SyncActivity(params).then(
    () => undefined,
    (error: unknown) => error
  )
  if (typeOf(failure) === "InvalidRequest") throw failure
  // By scope, not by the error's class: between two attempts, or without a worker, a cancel looks otherwise.
  const cancelled = CancellationScope.current().consideredCancelled
  const persisted = await CancellationScope.nonCancellable(() =>
    PostSyncActivity({ ...params, Began: began(failure, cancelled) })
  ).then(
    (value) => ({ value }),
    (error: unknown) => ({ error })
  )
  // A connector that had ended well before the cancel reached it has done its work.
  const finished = failure === undefined || ("value" in persisted && persisted.value.finished)
  if (cancelled && !finished) throw new CancelledFailure(cancelledText(persisted))
  if ("error" in persisted) throw combined(cancelled ? undefined : failure, persisted.error)
  if (!finished) throw failure
  return persisted.value.state
}

const applicationCause = (error: unknown): ApplicationFailure | undefined =>
  error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause : undefined

const typeOf = (error: unknown): string => applicationCause(error)?.type ?? ""

/** Failures of before the run had a directory, so that there is no state to be found. */
const BEFORE_BEGIN = [
  "InvalidJob",
  "JobNotFound",
  "IncompleteJob",
  "DatabaseError",
  "StorageError",
  "NameConflict"
]

/** Whether the run surely has a directory: one that is missing then is the storage's trouble. */
const began = (failure: unknown, cancelled: boolean): boolean =>
  failure === undefined || (!cancelled && typeOf(failure) !== "" && !BEFORE_BEGIN.includes(typeOf(failure)))

const cancelledText = (persisted: object): string =>
  `The sync was cancelled.${"error" in persisted ? ` Besides: ${textOf(persisted.error)}` : ""}`

const textOf = (error: unknown): string =>
  applicationCause(error)?.message ?? (error instanceof Error ? error.message : String(error))

const combined = (failure: unknown, persistFailure: unknown): unknown => {
  if (failure === undefined) return persistFailure
  return ApplicationFailure.create({
    type: applicationCause(failure)?.type ?? "SyncFailed",
    message: `${textOf(failure)} Besides: ${textOf(persistFailure)}`,
    nonRetryable: true
  })
}
