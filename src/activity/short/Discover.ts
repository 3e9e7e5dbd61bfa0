/** `DiscoverCatalogActivity`: the connector's catalog, as it wrote it to streams.json. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { WorkerConfig } from "../../Config.ts"
import type { DiscoverRequest } from "../../olake/contract/Request.ts"
import * as Connector from "../../olake/Connector.ts"
import { STREAMS_FILE } from "../../olake/Workdir.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import type { ActivityRun } from "../Activity.ts"
import { explain } from "../Explain.ts"
import { bounded } from "../Result.ts"
import { annotated, ResultMissing, shortRun } from "./ShortRun.ts"

export const discover = Effect.fn("activity.discover")(
  function* (request: DiscoverRequest, activity: ActivityRun) {
    const { jobs, timeouts } = yield* WorkerConfig
    const storage = yield* SharedStorage
    const { job, exit } = yield* shortRun(
      {
        request,
        command: Connector.discover(request, jobs.secretKey),
        timeout: timeouts.discover,
        variable: "TIMEOUT_ACTIVITY_DISCOVER"
      },
      activity
    )
    if (exit.failure !== undefined) return yield* yield* explain(exit, exit.failure, job)
    const catalog = yield* storage.readJson(job.directory, STREAMS_FILE)
    if (Option.isNone(catalog)) {
      return yield* new ResultMissing({
        operation: "discover",
        expected: STREAMS_FILE,
        connector: job.connector
      })
    }
    return yield* bounded(STREAMS_FILE, catalog.value)
  },
  Effect.scoped,
  annotated
)
