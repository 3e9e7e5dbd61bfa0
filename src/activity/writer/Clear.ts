/** `ExecuteActivity` for clear-destination: removes streams from the destination, in a Pod that writes as a sync does. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Decryption } from "../../database/Decryption.ts"
import * as Connector from "../../olake/Connector.ts"
import type { ClearRequest } from "../../olake/contract/Request.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import type { ActivityRun } from "../Activity.ts"
import { ResultMissing } from "../short/ShortRun.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import { annotated, writerRun } from "./WriterRun.ts"

/** Which streams, in a file that OLake's UI has left. */
const streamsOf = Effect.fnUntraced(function* ({ operation, streamsPath: path, connector }: ClearRequest) {
  const storage = yield* SharedStorage
  const slash = path.lastIndexOf("/")
  const streams = yield* storage.readJson(path.slice(0, slash), path.slice(slash + 1))
  return Option.isSome(streams)
    ? streams.value.text
    : yield* new ResultMissing({ operation, expected: path, connector })
})

export const clear = Effect.fn("activity.clear")(function* (request: ClearRequest, activity: ActivityRun) {
  const decryption = yield* Decryption
  return yield* writerRun(
    request,
    activity,
    Effect.fnUntraced(function* ({ row }) {
      const { jobId } = request
      const what = `destination config of job ${jobId}`
      const configs = {
        destination: yield* decryption.decrypt(row.destinationConfig, what),
        streams: yield* streamsOf(request)
      }
      const command = Connector.requestedClear(request.args, configs)
      const files = yield* Telemetry.files(jobId, row.sourceVersion, [])
      return { ...command, files: [...command.files, ...files] }
    })
  )
}, annotated)
