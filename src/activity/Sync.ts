/** `SyncActivity`, of either contract: runs the connector's sync with the job's newest configs. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { WorkerConfig } from "../Config.ts"
import { Decryption } from "../database/Decryption.ts"
import { Jobs } from "../database/Jobs.ts"
import { SyncTelemetry } from "../notification/SyncTelemetry.ts"
import type { SyncParams } from "../olake/ActivityParams.ts"
import * as Connector from "../olake/Connector.ts"
import { type SyncRequest, timeoutOf } from "../olake/ExecutionRequest.ts"
import { ofSync, STATE_FILE } from "../olake/Workdir.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"
import type { ActivityRun } from "./ActivityBoundary.ts"
import { requireImage, requireOwn, writerRun } from "./WriterRun.ts"

/** The connector decrypts by itself, with the key it is given. */
const ofJob = Effect.fnUntraced(function* (params: SyncParams, activity: ActivityRun) {
  const { jobs: settings, timeouts } = yield* WorkerConfig
  yield* requireOwn("WorkflowID", params.WorkflowID, activity)
  const row = yield* (yield* Jobs).read(params.JobID)
  yield* requireImage(params.JobID, row)
  const configs = {
    source: row.sourceConfig,
    destination: row.destinationConfig,
    streams: row.streamsConfig,
    state: row.state
  }
  return yield* writerRun({
    ...Connector.sync(configs, settings.secretKey),
    operation: "sync",
    connector: row.sourceType,
    version: row.sourceVersion,
    directory: ofSync(params.WorkflowID),
    jobId: params.JobID,
    run: activity.run,
    timeout: timeouts.sync,
    askedAt: activity.scheduledAt,
    attempt: activity.attempt
  })
})

/** OLake's UI leaves it for all connectors; who wants no telemetry has none. */
const userId = Effect.gen(function* () {
  const { callback } = yield* WorkerConfig
  if (callback.telemetryDisabled) return undefined
  const storage = yield* SharedStorage
  return yield* storage.read("telemetry", "user_id").pipe(
    Effect.map(Option.getOrUndefined),
    Effect.orElseSucceed(() => undefined)
  )
})

/** The connector gets its configs decrypted. */
const ofRequest = Effect.fnUntraced(function* (request: SyncRequest, activity: ActivityRun) {
  const { timeouts } = yield* WorkerConfig
  const decryption = yield* Decryption
  const storage = yield* SharedStorage
  const telemetry = yield* SyncTelemetry
  const { job_id: jobId, workflow_id: workflowId } = request
  yield* requireOwn("workflow_id", workflowId, activity)
  const row = yield* (yield* Jobs).read(jobId)
  yield* requireImage(jobId, row)
  const directory = ofSync(workflowId)
  const command = Connector.requestedSync(
    {
      args: request.args ?? Connector.SYNC_ARGS,
      jobId,
      workflowId,
      configs: {
        source: yield* decryption.decrypt(row.sourceConfig, `source config of job ${jobId}`),
        destination: yield* decryption.decrypt(row.destinationConfig, `destination config of job ${jobId}`),
        streams: row.streamsConfig,
        state: row.state
      }
    },
    yield* userId,
    yield* storage.isConnectors(directory, STATE_FILE)
  )
  if (activity.attempt === 1) yield* telemetry.send("started", { jobId, workflowId })
  return yield* writerRun({
    ...command,
    operation: "sync",
    connector: request.connector_type || row.sourceType,
    version: row.sourceVersion,
    directory,
    jobId,
    run: activity.run,
    timeout: timeoutOf(request) ?? timeouts.sync,
    askedAt: activity.scheduledAt,
    attempt: activity.attempt
  })
})

export const sync = Effect.fn("activity.sync")(
  function* (request: SyncParams | SyncRequest, activity: ActivityRun) {
    return yield* "JobID" in request ? ofJob(request, activity) : ofRequest(request, activity)
  },
  (effect, request) =>
    Effect.annotateLogs(effect, {
      operation: "sync",
      jobId: "JobID" in request ? request.JobID : request.job_id
    })
)
