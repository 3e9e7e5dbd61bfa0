/** `ExecuteActivity` for clear-destination: removes streams from the destination, in a Pod that writes as a sync does. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Decryption } from "../../database/Decryption.ts"
import { AVAILABLE_FILE, type Catalog, SELECTED_FILE } from "../../olake/Catalog.ts"
import * as Connector from "../../olake/Connector.ts"
import type { ClearRequest } from "../../olake/contract/Request.ts"
import { STREAMS_FILE } from "../../olake/Workdir.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import type { ActivityRun } from "../Activity.ts"
import { ResultMissing } from "../short/ShortRun.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import { annotated, writerRun } from "./WriterRun.ts"

/**
 * Which streams: what OLake's UI has left beside the file that the request names, `streams.json` or both files of a split
 * catalog. One half alone is none: the other may name more streams.
 */
const catalogOf = Effect.fnUntraced(function* ({ operation, streamsPath: path, connector }: ClearRequest) {
  const storage = yield* SharedStorage
  const slash = path.lastIndexOf("/")
  const [directory, named] = [path.slice(0, slash), path.slice(slash + 1)]
  const read = (file: string) =>
    Effect.map(storage.readJson(directory, file), (found) => Option.getOrUndefined(found)?.text)
  const available = yield* read(AVAILABLE_FILE)
  const selected = yield* read(SELECTED_FILE)
  if (available !== undefined && selected !== undefined)
    return { form: "split", available, selected } satisfies Catalog
  const isSplitNamed = named === AVAILABLE_FILE || named === SELECTED_FILE
  const isHalf = isSplitNamed && (available !== undefined || selected !== undefined)
  const streams = isHalf ? undefined : yield* read(isSplitNamed ? STREAMS_FILE : named)
  if (streams !== undefined) return { form: "whole", streams } satisfies Catalog
  const missing = isHalf ? (available === undefined ? AVAILABLE_FILE : SELECTED_FILE) : named
  return yield* new ResultMissing({ operation, expected: `${directory}/${missing}`, connector })
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
        catalog: yield* catalogOf(request)
      }
      const command = Connector.requestedClear(request.args, configs)
      const files = yield* Telemetry.files(jobId, row.sourceVersion, [])
      return { ...command, files: [...command.files, ...files] }
    })
  )
}, annotated)
