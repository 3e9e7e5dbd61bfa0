/**
 * The second contract: what OLake's UI puts into ExecuteWorkflow and RunSyncWorkflow. Written by Go: snake_cased keys,
 * no key is left out, and an empty list is `null`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ConnectorType, ConnectorVersion, JobId, OutcomeField, Whole, WorkflowId } from "./Legacy.ts"
import { problemWithFileName } from "../Workdir.ts"

const text = Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("")))

const emptyOr = (schema: Schema.Codec<string>) =>
  Schema.Union([Schema.Literal(""), schema]).pipe(Schema.withDecodingDefaultKey(Effect.succeed("" as const)))

const listOf = <S extends Schema.Top>(item: S) =>
  Schema.NullOr(Schema.Array(item)).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null)))

const FileName = Schema.String.check(Schema.makeFilter((name) => problemWithFileName(name) ?? true))

const SharedPath = Schema.String.check(
  Schema.makeFilter((path) => {
    const parts = path.split("/")
    const isInside = parts.every((part) => problemWithFileName(part) === undefined)
    return (
      (isInside && parts.length > 1 && parts.length <= 4) ||
      "must be a file in a folder of the shared storage"
    )
  })
)

/** Nanoseconds on the wire, as Go's time.Duration. */
const Timeout = Whole.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0)))

const ConfigFile = Schema.Struct({ name: FileName, data: Schema.String })

const common = {
  args: listOf(Schema.String),
  configs: listOf(ConfigFile),
  workflow_id: WorkflowId,
  project_id: text,
  timeout: Timeout,
  output_file: emptyOr(FileName)
}

/** Discover (also of differences between streams), check and spec. */
export const DirectRequest = Schema.Struct({
  ...common,
  command: Schema.Literals(["discover", "check", "spec"]),
  connector_type: ConnectorType,
  version: ConnectorVersion,
  job_id: Whole.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0)))
})

/** The schedule of a writer may be older than requests, and then only the job is known. */
const ofJob = {
  ...common,
  connector_type: emptyOr(ConnectorType),
  version: emptyOr(ConnectorVersion),
  job_id: JobId
}

export const SyncRequest = Schema.Struct({ ...ofJob, command: Schema.Literal("sync") })

export const ClearRequest = Schema.Struct({
  ...ofJob,
  command: Schema.Literal("clear-destination"),
  /** The file of the streams to clear; never none, for that would be all. */
  temp_path: SharedPath
})

/**
 * What ends a writer of the second contract: who it is, and how it went, which the Go worker left out. Asks for no more:
 * a run that another worker has begun must be ended, whatever else its request says.
 */
const ended = {
  workflow_id: WorkflowId,
  job_id: JobId,
  project_id: text,
  connector_type: text,
  version: text,
  timeout: Schema.Number.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0))),
  /** The clear's own; whatever they are, its run is ended. */
  args: Schema.Unknown.pipe(Schema.withDecodingDefaultKey(Effect.succeed(null))),
  began: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))),
  outcome: OutcomeField,
  failure_type: Schema.optionalKey(Schema.String)
}
export const SyncEnded = Schema.Struct({
  ...ended,
  command: Schema.Literal("sync"),
  /** The second argument that the Go worker's workflows give since olake-helm 0.3.10, in their words. */
  status: Schema.optionalKey(Schema.Unknown)
})
export type SyncEnded = typeof SyncEnded.Type
export const ClearEnded = Schema.Struct({ ...ended, command: Schema.Literal("clear-destination") })
export type ClearEnded = typeof ClearEnded.Type

/** Argument of the activity that asks a cancelled writer's Pod to stop. */
export const StopParams = Schema.Struct({
  operation: Schema.Literals(["sync", "clear-destination"]),
  jobId: JobId
})
export type StopParams = typeof StopParams.Type

/** Argument of SendWebhookNotificationActivity. */
export const AlertParams = Schema.Struct({
  JobID: Whole,
  ProjectID: Schema.NullOr(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null))),
  LastRunTime: Schema.String,
  ErrorMessage: Schema.String
})
export type AlertParams = typeof AlertParams.Type

/** The request's own limit; none where it is zero. */
export const timeoutOf = ({ timeout }: { readonly timeout: number }): Duration.Duration | undefined =>
  timeout === 0 ? undefined : Duration.millis(timeout / 1_000_000)
