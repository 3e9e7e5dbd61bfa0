/** The workflows that OLake's UI starts, by their Temporal names. Runs in Temporal's sandbox: data in, commands out. */
import { defineSearchAttributeKey, SearchAttributeType } from "@temporalio/common"
import { ApplicationFailure, upsertSearchAttributes, workflowInfo } from "@temporalio/workflow"
import { call } from "./Call.ts"
import * as Policy from "./Policy.ts"
import { runWriter } from "./Writer.ts"

export const DiscoverCatalogWorkflow = (params: unknown) =>
  call("DiscoverCatalogActivity", params, Policy.short)

export const TestConnectionWorkflow = (params: unknown) =>
  call("TestConnectionActivity", params, Policy.short)

/** @param request an ExecutionRequest of the second contract: discover, check, spec, stream difference */
export const ExecuteWorkflow = (request: unknown) => call("ExecuteActivity", request, Policy.short)

/** @param request of OLake's UI where it works by GitOps: a failed Pod to be shown, or to be taken away */
export const IndicatorWorkflow = (request: unknown) => call("IndicatorActivity", request, Policy.indicator)

type Fields = Readonly<Record<string, unknown>>

const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

type Contract = "first" | "second"
/** Constants that TemporalWorker puts before this code: what a new run gets, and what one is whose worker did not say. */
declare const OLAKE_BARE_JOB_ID: Contract | undefined
declare const OLAKE_UNRECORDED_JOB_ID: Contract | undefined

/** Ends the build id of a worker, which each workflow task in the history names. */
const RECORDED = /\+bare-(first|second)$/

/**
 * Which contract a bare job id belongs to. The history decides, not the settings of the worker that replays it: the worker
 * that took the run's first task is named there, with its setting.
 */
const contractOfBareJobId = (): Contract => {
  const { unsafe, currentBuildId = "" } = workflowInfo()
  const unrecorded = typeof OLAKE_UNRECORDED_JOB_ID === "undefined" ? "first" : OLAKE_UNRECORDED_JOB_ID
  if (!unsafe.isReplaying) return typeof OLAKE_BARE_JOB_ID === "undefined" ? unrecorded : OLAKE_BARE_JOB_ID
  const [, recorded] = RECORDED.exec(currentBuildId) ?? []
  return recorded === "first" || recorded === "second" ? recorded : unrecorded
}

/** The request of a schedule that was made before requests were; the activity fills in the rest from the job's row. */
const ofBareJobId = (jobId: unknown): Fields => ({
  type: "",
  command: "sync",
  connector_type: "",
  version: "",
  args: null,
  configs: null,
  workflow_id: "",
  job_id: jobId,
  project_id: "",
  timeout: 0,
  output_file: "",
  temp_path: ""
})

/** @param argument the bare job id of older schedules, or an ExecutionRequest */
export async function RunSyncWorkflow(argument: unknown): Promise<unknown> {
  if (isRecord(argument)) return runRequest(argument)
  return typeof argument === "number" && contractOfBareJobId() === "second"
    ? runRequest(ofBareJobId(argument))
    : runJob(argument)
}

/** The first contract. Its result is the saved state. */
const runJob = async (jobId: unknown): Promise<unknown> => {
  const params = { JobID: jobId, WorkflowID: workflowInfo().workflowId }
  const { persisted } = await runWriter({
    work: () => call("SyncActivity", params, Policy.writer),
    stop: () => call("StopActivity", { operation: "sync", jobId }, Policy.stop, STOP),
    persist: (began, outcome, failure) =>
      call("PostSyncActivity", { ...params, Began: began, outcome, failure_type: failure }, Policy.persist),
    alert: () => Promise.resolve(),
    mayHaveBegun: false
  })
  return persisted?.state
}

/** The one call that the Go worker's workflows do not make. */
const STOP = "stop"

const OPERATION_TYPE = defineSearchAttributeKey("OperationType", SearchAttributeType.KEYWORD)

const ACTIVITIES = {
  sync: ["SyncActivity", "PostSyncActivity"],
  "clear-destination": ["ExecuteActivity", "PostClearActivity"]
} as const

/** The second contract: sync and clear-destination. Its result names the file of the state. */
const runRequest = async (request: Fields): Promise<unknown> => {
  const { command, job_id, project_id } = request
  if (command !== "sync" && command !== "clear-destination") {
    throw ApplicationFailure.nonRetryable(
      `The request is not valid: command: expected "sync" or "clear-destination", got ${JSON.stringify(command)}`,
      "InvalidRequest"
    )
  }
  const { workflowId } = workflowInfo()
  const [work, persist] = ACTIVITIES[command]
  const params = { ...request, workflow_id: workflowId }
  // First, for the UI finds the runs that it may cancel by it.
  upsertSearchAttributes([{ key: OPERATION_TYPE, value: command }])
  const { worked, persisted } = await runWriter({
    work: () => call(work, params, Policy.writer, 1),
    stop: () => call("StopActivity", { operation: command, jobId: job_id }, Policy.stop, STOP),
    persist: (began, outcome, failure) =>
      call(persist, { ...params, began, outcome, failure_type: failure }, Policy.persist, alerted(outcome)),
    alert: (failure) =>
      call(
        "SendWebhookNotificationActivity",
        {
          JobID: job_id,
          ProjectID: project_id,
          LastRunTime: new Date().toISOString(),
          ErrorMessage: failure
        },
        Policy.alert
      ),
    mayHaveBegun: typeof job_id === "number" && job_id > 0
  })
  return { response: persisted?.response ?? responseOf(worked) }
}

/** What the Go worker's activities have returned. */
const responseOf = (worked: unknown): string =>
  isRecord(worked) && typeof worked.response === "string" ? worked.response : ""

/** After a failure the alert is the first command of the task. */
const alerted = (outcome: string): number => (outcome === "failed" ? 1 : 0)
