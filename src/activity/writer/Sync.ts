/** `SyncActivity`, of either contract: runs the connector's sync with the job's newest configs. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { WorkerConfig } from "../../Config.ts"
import { Decryption } from "../../database/Decryption.ts"
import type { JobRow } from "../../database/Jobs.ts"
import { SyncTelemetry } from "../../notification/SyncTelemetry.ts"
import type { SyncParams } from "../../olake/contract/Legacy.ts"
import * as Connector from "../../olake/Connector.ts"
import { jobIdOf, type SyncRequest } from "../../olake/contract/Current.ts"
import { STATE_FILE } from "../../olake/Workdir.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import type { ActivityRun } from "../Activity.ts"
import { identityOf, jobOf, requireOwn, writerRun } from "./WriterRun.ts"

/** The connector decrypts by itself, with the key it is given. */
const ofJob = Effect.fnUntraced(function* (params: SyncParams, activity: ActivityRun) {
  const { secretKey } = (yield* WorkerConfig).jobs
  const { JobID: jobId, WorkflowID: workflowId } = params
  yield* requireOwn("WorkflowID", workflowId, activity)
  const identity = identityOf("sync", jobId, activity)
  const commandOf = (row: JobRow) =>
    Effect.succeed(
      Connector.sync(
        {
          jobId,
          workflowId,
          rowVersion: row.version,
          configs: {
            source: row.sourceConfig,
            destination: row.destinationConfig,
            streams: row.streamsConfig,
            state: row.state
          }
        },
        secretKey
      )
    )
  return yield* writerRun(identity, jobOf(identity, {}, commandOf))
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

/** Whether a connector of this run has left a state to go on from. */
const hasState = Effect.fnUntraced(function* (directory: string) {
  const storage = yield* SharedStorage
  if (!(yield* storage.isConnectors(directory, STATE_FILE))) return false
  const state = yield* storage
    .readJson(directory, STATE_FILE)
    .pipe(Effect.catchTag("InvalidFile", () => Effect.succeed(Option.none())))
  return Option.isSome(state) && !Connector.isEmptyState(state.value.text)
})

/** The connector gets its configs decrypted. */
const ofRequest = Effect.fnUntraced(function* (request: SyncRequest, activity: ActivityRun) {
  const decryption = yield* Decryption
  const storage = yield* SharedStorage
  const telemetry = yield* SyncTelemetry
  const { job_id: jobId, workflow_id: workflowId } = request
  yield* requireOwn("workflow_id", workflowId, activity)
  const identity = identityOf("sync", jobId, activity)
  const commandOf = Effect.fnUntraced(function* (row: JobRow) {
    const configs = {
      source: yield* decryption.decrypt(row.sourceConfig, `source config of job ${jobId}`),
      destination: yield* decryption.decrypt(row.destinationConfig, `destination config of job ${jobId}`),
      streams: row.streamsConfig,
      state: row.state
    }
    const command = Connector.requestedSync(
      { args: request.args ?? Connector.SYNC_ARGS, jobId, workflowId, rowVersion: row.version, configs },
      yield* userId,
      yield* hasState(identity.directory)
    )
    // Once in a run, whatever becomes of its attempts and Pods.
    if (!(yield* storage.hasDirectory(identity.directory))) {
      yield* telemetry.send("started", { jobId, workflowId })
    }
    return command
  })
  return yield* writerRun(identity, jobOf(identity, request, commandOf))
})

export const sync = Effect.fn("activity.sync")(
  function* (request: SyncParams | SyncRequest, activity: ActivityRun) {
    return yield* "JobID" in request ? ofJob(request, activity) : ofRequest(request, activity)
  },
  (effect, request) => Effect.annotateLogs(effect, { operation: "sync", jobId: jobIdOf(request) })
)
