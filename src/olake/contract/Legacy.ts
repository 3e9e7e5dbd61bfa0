/**
 * The first contract: what OLake's UI puts into DiscoverCatalogWorkflow,
 * TestConnectionWorkflow and RunSyncWorkflow. Go-cased keys; numbers are JSON numbers.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { outcomeNames } from "../Outcome.ts"

/** `source-<type>` of the image name. */
export const ConnectorType = Schema.String.check(
  Schema.isPattern(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/, {
    message: "must be a connector such as postgres: lower-case letters, digits and hyphens"
  })
)

/** An image tag, by the grammar of the distribution specification. */
export const ConnectorVersion = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/, {
    message: "must be an image tag such as v0.2.0: letters, digits, `.`, `_` and `-`, not empty"
  })
)

/** A workflow id as Temporal allows it: any text of 1 to 1,000 characters. */
export const WorkflowId = Schema.String.check(
  Schema.makeFilter(
    (id) => (id.length >= 1 && id.length <= 1000) || "must be the workflow's id, 1 to 1,000 characters"
  )
)

const NotBlank = Schema.String.check(Schema.makeFilter((s) => s.trim() !== "" || "must not be empty"))

export const Whole = Schema.Int.check(
  Schema.makeFilter((n) => (n >= 0 && n <= Number.MAX_SAFE_INTEGER) || "must be a whole number, zero or more")
)

const absentIs0 = Schema.withDecodingDefaultKey<typeof Whole>(Effect.succeed(0))

const common = {
  SourceType: ConnectorType,
  Version: ConnectorVersion,
  Config: NotBlank,
  WorkflowID: WorkflowId,
  SourceID: Whole.pipe(absentIs0),
  DestID: Whole.pipe(absentIs0),
  JobID: Whole.pipe(absentIs0)
}

/** Argument of DiscoverCatalogWorkflow. `Config` may be encrypted by the UI; the connector decrypts it. */
export const DiscoverParams = Schema.Struct({
  ...common,
  StreamsConfig: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("")))
})
export type DiscoverParams = typeof DiscoverParams.Type

/** Argument of TestConnectionWorkflow. `Flag` names the connector's option: a source's or a destination's config. */
export const TestParams = Schema.Struct({
  ...common,
  Flag: Schema.Literals(["config", "destination"]).annotate({
    expected: `"config" for a source or "destination" for a destination`
  })
})
export type TestParams = typeof TestParams.Type

export const JobId = Schema.Int.check(
  Schema.makeFilter(
    (n) => (n > 0 && n <= Number.MAX_SAFE_INTEGER) || "must be a job's id: a whole number above zero"
  )
)

/** Argument of the sync's activities, made by RunSyncWorkflow from its bare job id. */
export const SyncParams = Schema.Struct({ JobID: JobId, WorkflowID: WorkflowId })
export type SyncParams = typeof SyncParams.Type

/** How a writer's step ended, as our workflows say it; others do not. */
export const OutcomeField = Schema.Literals(outcomeNames).pipe(
  Schema.withDecodingDefaultKey(Effect.succeed("unknown" as const))
)

/** Argument of the activity that ends a sync. */
export const PersistParams = Schema.Struct({
  ...SyncParams.fields,
  /** Whether the run surely has a directory. */
  Began: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))),
  outcome: OutcomeField,
  failure_type: Schema.optionalKey(Schema.String)
})
export type PersistParams = typeof PersistParams.Type
