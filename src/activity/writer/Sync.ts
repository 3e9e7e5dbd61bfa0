/** `SyncActivity`: runs the connector's sync with the job's newest configs. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { WorkerConfig } from "../../Config.ts"
import { Decryption } from "../../database/Decryption.ts"
import { SyncTelemetry } from "../../notification/SyncTelemetry.ts"
import * as Connector from "../../olake/Connector.ts"
import type { SyncRequest } from "../../olake/contract/Request.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import type { ActivityRun } from "../Activity.ts"
import type { Start } from "./Preparation.ts"
import { annotated, writerRun } from "./WriterRun.ts"

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

/** The configs decrypted, and arguments that name them. */
const opened = Effect.fnUntraced(function* (
  { jobId, workflowId }: SyncRequest,
  args: ReadonlyArray<string>,
  { row, hasState, isFirst }: Start
) {
  const decryption = yield* Decryption
  const telemetry = yield* SyncTelemetry
  const configs = {
    source: yield* decryption.decrypt(row.sourceConfig, `source config of job ${jobId}`),
    destination: yield* decryption.decrypt(row.destinationConfig, `destination config of job ${jobId}`),
    streams: row.streamsConfig
  }
  // Once in a run, whatever becomes of its attempts and Pods.
  if (isFirst) yield* telemetry.send("started", { jobId, workflowId })
  return Connector.requestedSync(args, configs, yield* userId, hasState)
})

export const sync = Effect.fn("activity.sync")(function* (request: SyncRequest, activity: ActivityRun) {
  const { secretKey } = (yield* WorkerConfig).jobs
  const { args } = request
  return yield* writerRun(request, activity, (start) => {
    if (args !== undefined) return opened(request, args, start)
    const { sourceConfig: source, destinationConfig: destination, streamsConfig: streams } = start.row
    return Effect.succeed(Connector.sync({ source, destination, streams }, secretKey))
  })
}, annotated)
