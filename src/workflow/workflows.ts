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
const { PostSyncActivity } = proxyActivities<Activities>(Policy.persist)

export const DiscoverCatalogWorkflow = (params: unknown) => DiscoverCatalogActivity(params)

export const TestConnectionWorkflow = (params: unknown) => TestConnectionActivity(params)

/** @param jobId the bare number that OLake's schedules carry */
export async function RunSyncWorkflow(jobId: unknown): Promise<unknown> {
  const { taskQueue, workflowId } = workflowInfo()
  const { SyncActivity } = proxyActivities<Activities>({
    ...Policy.sync,
    taskQueue: Policy.syncQueue(taskQueue)
  })
  const params = { JobID: jobId, WorkflowID: workflowId }
  const failure = await SyncActivity(params).then(
    () => undefined,
    (error: unknown) => error
  )
  if (wasInvalid(failure)) throw failure
  // By scope, not by the error's class: between two attempts, or without a worker, a cancel looks otherwise.
  const cancelled = CancellationScope.current().consideredCancelled
  const persisted = await CancellationScope.nonCancellable(() => PostSyncActivity(params)).then(
    (value) => ({ value }),
    (error: unknown) => ({ error })
  )
  // A connector that had ended well before the cancel reached it has done its work.
  const finished = failure === undefined || ("value" in persisted && persisted.value.finished)
  if (cancelled && !finished) throw new CancelledFailure("The sync was cancelled.")
  if ("error" in persisted) throw combined(cancelled ? undefined : failure, persisted.error)
  if (!finished) throw failure
  return persisted.value.state
}

const applicationCause = (error: unknown): ApplicationFailure | undefined =>
  error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause : undefined

/** Nothing was begun, so there is nothing to save. */
const wasInvalid = (error: unknown): boolean => applicationCause(error)?.type === "InvalidRequest"

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
