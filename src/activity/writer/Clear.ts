/** `ExecuteActivity` for clear-destination: removes streams from the destination, in a Pod that writes as a sync does. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Decryption } from "../../database/Decryption.ts"
import type { JobRow } from "../../database/Jobs.ts"
import * as Connector from "../../olake/Connector.ts"
import type { ClearRequest } from "../../olake/contract/Current.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import type { ActivityRun } from "../Activity.ts"
import { ResultMissing } from "../short/ShortRun.ts"
import { identityOf, jobOf, requireOwn, writerRun } from "./WriterRun.ts"

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
    const decryption = yield* Decryption
    const { job_id: jobId, workflow_id: workflowId } = request
    yield* requireOwn("workflow_id", workflowId, activity)
    const identity = identityOf("clear-destination", jobId, activity)
    const commandOf = Effect.fnUntraced(function* (row: JobRow) {
      const configs = {
        source: "",
        destination: yield* decryption.decrypt(row.destinationConfig, `destination config of job ${jobId}`),
        streams: yield* streamsOf(request),
        state: row.state
      }
      const args = request.args ?? Connector.CLEAR_ARGS
      return Connector.requestedClear({ args, jobId, workflowId, rowVersion: row.version, configs })
    })
    return yield* writerRun(identity, jobOf(identity, request, commandOf))
  },
  (effect, { job_id }) => Effect.annotateLogs(effect, { operation: "clear-destination", jobId: job_id })
)
