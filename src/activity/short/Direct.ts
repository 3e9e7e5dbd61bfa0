/** `ExecuteActivity` for direct requests: discover, stream difference, check, spec. Answers with the path of a file. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { PodExit } from "../../kubernetes/PodEnd.ts"
import * as Connector from "../../olake/Connector.ts"
import { lastJsonObject } from "../../olake/ConnectorOutput.ts"
import type { DirectRequest } from "../../olake/contract/Request.ts"
import * as GoJson from "../../olake/GoJson.ts"
import type { Job } from "../../olake/Job.ts"
import { problemWithDirectoryName } from "../../olake/Workdir.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import type { ActivityRun } from "../Activity.ts"
import { explain } from "../Explain.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import { annotated, ResultMissing, shortRun } from "./ShortRun.ts"
import { statusOf } from "./Check.ts"

/** A path below the shared storage's root, of a file that is there and holds a JSON object. */
export interface ExecutorResponse {
  readonly response: string
}

/** Where OLake's UI finds what a connector has only said. */
const OUTPUT_FILE = "output.json"

/** OLake's UI says how long; older requests may not. */
const DEFAULT_TIMEOUT = Duration.minutes(10)

const missing = (job: Job, expected: string) =>
  new ResultMissing({ operation: job.operation, expected, connector: job.connector })

const writeOutput = Effect.fnUntraced(function* (job: Job, output: Readonly<Record<string, unknown>>) {
  const storage = yield* SharedStorage
  yield* storage.write(job.directory, OUTPUT_FILE, GoJson.stringify(output))
  return { response: `${job.directory}/${OUTPUT_FILE}` } satisfies ExecutorResponse
})

const checkOutput = Effect.fnUntraced(function* (exit: PodExit, job: Job) {
  const { status, message } = yield* statusOf(exit, job)
  const connectionStatus = message === "" ? { status } : { status, message }
  return yield* writeOutput(job, { type: "CONNECTION_STATUS", connectionStatus })
})

const outputOf = Effect.fnUntraced(function* (request: DirectRequest, exit: PodExit, job: Job) {
  if (exit.failure !== undefined) return yield* yield* explain(exit, exit.failure, job)
  const file = request.outputFile
  if (file !== "") {
    const found = yield* (yield* SharedStorage).readJson(job.directory, file)
    if (Option.isNone(found)) return yield* missing(job, file)
    return { response: `${job.directory}/${file}` } satisfies ExecutorResponse
  }
  const said = lastJsonObject(yield* exit.log)
  return yield* said === undefined ? missing(job, "a line of JSON in its output") : writeOutput(job, said)
})

/** Those that neither the request nor OLake's UI has brought, nor an attempt before. */
const telemetryFiles = Effect.fnUntraced(function* ({ jobId, version, workflowId, files }: DirectRequest) {
  if (yield* Telemetry.isDisabled) return []
  const storage = yield* SharedStorage
  // An id that names no directory is refused by the run itself.
  if (problemWithDirectoryName(workflowId) !== undefined) return []
  const there = yield* storage.list(workflowId).pipe(Effect.orElseSucceed(() => undefined))
  // What cannot be looked at is not written over.
  if (there === undefined) return []
  return yield* Telemetry.files(jobId, version, [...there, ...files.map(({ name }) => name)])
})

export const direct = Effect.fn("activity.direct")(
  function* (request: DirectRequest, activity: ActivityRun) {
    const files = request.files.map(({ name, content }) => Connector.configFile(name, content))
    const { job, exit } = yield* shortRun(
      {
        request,
        command: {
          ...Connector.liftSecretKey(request.args),
          files: [...files, ...(yield* telemetryFiles(request))]
        },
        timeout: request.timeout ?? DEFAULT_TIMEOUT,
        variable: "the request's timeout"
      },
      activity
    )
    return yield* request.operation === "check" ? checkOutput(exit, job) : outputOf(request, exit, job)
  },
  Effect.scoped,
  annotated
)
