/** `ExecuteActivity` for clear-destination: removes streams from the destination, in a Pod that writes as a sync does. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { WorkerConfig } from "../Config.ts"
import { Decryption } from "../database/Decryption.ts"
import { Jobs } from "../database/Jobs.ts"
import * as Connector from "../olake/Connector.ts"
import { type ClearRequest, timeoutOf } from "../olake/ExecutionRequest.ts"
import type { Job } from "../olake/Job.ts"
import { ofSync } from "../olake/Workdir.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"
import type { ActivityRun } from "./ActivityBoundary.ts"
import { ResultMissing } from "./ShortRun.ts"
import { requireImage, requireOwn, writerRun } from "./WriterRun.ts"

/** Which streams, in a file that OLake's UI has left. */
const streamsOf = Effect.fnUntraced(function* ({ temp_path: path, connector_type }: ClearRequest) {
  const storage = yield* SharedStorage
  const slash = path.lastIndexOf("/")
  const streams = yield* storage.readJson(path.slice(0, slash), path.slice(slash + 1))
  return Option.isSome(streams)
    ? streams.value.text
    : yield* new ResultMissing({ operation: "clear-destination", expected: path, connector: connector_type })
})

export const clear = Effect.fn("activity.clear")(
  function* (request: ClearRequest, activity: ActivityRun) {
    const { timeouts } = yield* WorkerConfig
    const decryption = yield* Decryption
    const { job_id: jobId, workflow_id: workflowId } = request
    yield* requireOwn("workflow_id", workflowId, activity)
    const { run, attempt } = activity
    const identity = {
      operation: "clear-destination",
      jobId,
      run,
      attempt,
      directory: ofSync(workflowId)
    } as const
    const make = Effect.gen(function* () {
      const row = yield* (yield* Jobs).read(jobId)
      yield* requireImage(jobId, row)
      const configs = {
        source: "",
        destination: yield* decryption.decrypt(row.destinationConfig, `destination config of job ${jobId}`),
        streams: yield* streamsOf(request),
        state: row.state
      }
      return {
        ...identity,
        ...Connector.requestedClear({
          args: request.args ?? Connector.CLEAR_ARGS,
          jobId,
          workflowId,
          configs
        }),
        connector: request.connector_type || row.sourceType,
        version: row.sourceVersion,
        timeout: timeoutOf(request) ?? timeouts.sync,
        askedAt: activity.scheduledAt
      } satisfies Job
    })
    return yield* writerRun(identity, make)
  },
  (effect, { job_id }) => Effect.annotateLogs(effect, { operation: "clear-destination", jobId: job_id })
)
