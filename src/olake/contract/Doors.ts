/** How each activity's request comes in, by either contract: decoded once, into what is to be done. Pure. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { type Catalog, isSplit } from "../Catalog.ts"
import { CLEAR_ARGS, SYNC_ARGS } from "../Connector.ts"
import * as Current from "./Current.ts"
import * as Legacy from "./Legacy.ts"
import type { Outcome } from "../Outcome.ts"
import type * as Request from "./Request.ts"

/** Takes in what came over the wire. */
export type Door<A> = (wire: unknown) => Effect.Effect<A, Schema.SchemaError>

const door = <I, A>(schema: Schema.Codec<I, unknown>, request: (decoded: I) => A): Door<A> => {
  const decode = Schema.decodeUnknownEffect(schema, { errors: "all", onExcessProperty: "ignore" })
  return (wire) => Effect.map(decode(wire), request)
}

/** A request that is taken as it is decoded. */
export const plain = <I>(schema: Schema.Codec<I, unknown>): Door<I> => door(schema, (decoded) => decoded)

/** Only the first contract has Go-cased keys. */
const isLegacy = (wire: unknown): boolean => Predicate.hasProperty(wire, "JobID")

/** Which of the two requests of ExecuteActivity it is. */
export const isClear = (wire: unknown): boolean =>
  Predicate.hasProperty(wire, "command") && wire.command === "clear-destination"

const ofParams = (params: Legacy.DiscoverParams | Legacy.TestParams) => ({
  jobId: params.JobID,
  connector: params.SourceType,
  version: params.Version,
  workflowId: params.WorkflowID,
  idField: "WorkflowID" as const,
  config: params.Config,
  keepsLog: false
})

export const discover = door(Legacy.DiscoverParams, (params): Request.DiscoverRequest => ({
  ...ofParams(params),
  operation: "discover",
  streams: params.StreamsConfig
}))

export const check = door(Legacy.TestParams, (params): Request.CheckRequest => ({
  ...ofParams(params),
  operation: "check",
  flag: params.Flag
}))

const ofRequest = (request: {
  readonly job_id: number
  readonly connector_type: string
  readonly workflow_id: string
}) => ({
  jobId: request.job_id,
  connector: request.connector_type,
  workflowId: request.workflow_id,
  idField: "workflow_id" as const,
  keepsLog: true
})

export const direct = door(Current.DirectRequest, (request): Request.DirectRequest => ({
  ...ofRequest(request),
  operation: request.command,
  version: request.version,
  args: request.args ?? [request.command],
  files: (request.configs ?? []).map(({ name, data }) => ({ name, content: data })),
  timeout: Current.timeoutOf(request),
  outputFile: request.output_file
}))

export const clear = door(Current.ClearRequest, (request): Request.ClearRequest => ({
  ...ofRequest(request),
  operation: "clear-destination",
  args: request.args ?? CLEAR_ARGS,
  timeout: Current.timeoutOf(request),
  streamsPath: request.temp_path
}))

const legacySync = door(Legacy.SyncParams, (params): Request.SyncRequest => ({
  operation: "sync",
  jobId: params.JobID,
  connector: "",
  workflowId: params.WorkflowID,
  idField: "WorkflowID",
  keepsLog: false,
  timeout: undefined,
  projectId: "",
  args: undefined
}))

const currentSync = door(Current.SyncRequest, (request): Request.SyncRequest => ({
  ...ofRequest(request),
  operation: "sync",
  timeout: Current.timeoutOf(request),
  projectId: request.project_id,
  args: request.args ?? SYNC_ARGS
}))

export const sync: Door<Request.SyncRequest> = (wire) =>
  isLegacy(wire) ? legacySync(wire) : currentSync(wire)

/** Types of failures are labels of metrics: words of ours. */
const CLASS = /^[A-Z][A-Za-z]{1,40}$/
const failureTypeOf = (type: string | undefined) =>
  type !== undefined && CLASS.test(type) ? { failureType: type } : {}

const legacyEnd = door(Legacy.PersistParams, (params): Request.EndRequest => ({
  operation: "sync",
  jobId: params.JobID,
  connector: "",
  workflowId: params.WorkflowID,
  idField: "WorkflowID",
  keepsLog: false,
  outcome: params.outcome,
  ...failureTypeOf(params.failure_type),
  began: params.Began,
  activates: true,
  reports: false,
  answers: "state",
  version: "",
  projectId: "",
  catalog: "whole",
  timeout: 0
}))

/** In which form the arguments of a run name its catalog. */
const formOf = (args: unknown): Catalog["form"] =>
  Array.isArray(args) && isSplit(args.filter(Predicate.isString)) ? "split" : "whole"

const ofEnd = (request: Current.SyncEnded | Current.ClearEnded): Request.EndRequest => ({
  ...ofRequest(request),
  operation: request.command,
  outcome: request.outcome,
  ...failureTypeOf(request.failure_type),
  began: request.began,
  activates: false,
  reports: request.command === "sync",
  answers: "path",
  version: request.version,
  projectId: request.project_id,
  catalog: formOf(request.args),
  timeout: request.timeout
})
/** The Go worker's words for how a sync ended; what is none of them says nothing. */
const outcomeOfStatus = (status: unknown): Outcome => {
  if (!Predicate.isString(status)) return "unknown"
  if (/succe|complet/i.test(status)) return "completed"
  if (/cancel/i.test(status)) return "cancelled"
  return /fail|error/i.test(status) ? "failed" : "unknown"
}

const currentEnd = door(Current.SyncEnded, (request): Request.EndRequest => {
  if (request.status === undefined || request.outcome !== "unknown") return ofEnd(request)
  const outcome = outcomeOfStatus(request.status)
  // The Go worker's own SyncActivity has told of a failure.
  return { ...ofEnd(request), outcome, reports: outcome !== "failed" }
})

/** PostSyncActivity's two arguments as one request; workflows of this worker, and older ones of the Go worker, give one. */
export const withStatus = (wire: unknown, status: unknown): unknown =>
  status === undefined || !Predicate.isObject(wire) ? wire : { ...wire, status }

export const endSync: Door<Request.EndRequest> = (wire) =>
  isLegacy(wire) ? legacyEnd(wire) : currentEnd(wire)

export const endClear = door(Current.ClearEnded, ofEnd)
