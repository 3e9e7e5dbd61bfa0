/** `SyncActivity`: runs the connector's sync with the job's newest configs. */
import * as Effect from "effect/Effect"
import { WorkerConfig } from "../../Config.ts"
import { Decryption } from "../../database/Decryption.ts"
import { SyncTelemetry } from "../../notification/SyncTelemetry.ts"
import * as Connector from "../../olake/Connector.ts"
import type { SyncRequest } from "../../olake/contract/Request.ts"
import { reportsItself } from "../../olake/telemetry/Payload.ts"
import type { ActivityRun } from "../Activity.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import type { Start } from "./Preparation.ts"
import { annotated, writerRun } from "./WriterRun.ts"

/** The configs decrypted, and arguments that name them. */
const opened = Effect.fnUntraced(function* (
  { jobId, workflowId, projectId }: SyncRequest,
  args: ReadonlyArray<string>,
  { row, hasState, isFirst }: Start
) {
  const decryption = yield* Decryption
  const telemetry = yield* SyncTelemetry
  const configs = {
    source: yield* decryption.decrypt(row.sourceConfig, `source config of job ${jobId}`),
    destination: yield* decryption.decrypt(row.destinationConfig, `destination config of job ${jobId}`),
    catalog: row.catalog
  }
  const { facts, payload, files } = yield* Telemetry.ofSync({ jobId, projectId }, row.sourceVersion, isFirst)
  // Once in a run, whatever becomes of its attempts and Pods; newer connectors say it themselves.
  if (isFirst && !reportsItself(row.sourceVersion))
    yield* telemetry.send("started", { jobId, workflowId }, facts === undefined ? undefined : payload)
  const command = Connector.requestedSync(args, configs, hasState)
  return { ...command, files: [...command.files, ...files] }
})

export const sync = Effect.fn("activity.sync")(function* (request: SyncRequest, activity: ActivityRun) {
  const { secretKey } = (yield* WorkerConfig).jobs
  const { args } = request
  return yield* writerRun(request, activity, (start) => {
    if (args !== undefined) return opened(request, args, start)
    const { sourceConfig: source, destinationConfig: destination, catalog } = start.row
    return Effect.succeed(Connector.sync({ source, destination, catalog }, secretKey))
  })
}, annotated)
