/** Why a Pod cannot be run now, or at all. */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import type { KubernetesError } from "./api/KubernetesError.ts"

/** The run was cancelled before it had a Pod. */
export class Cancelled extends Schema.TaggedError<Cancelled>()("Cancelled", { pod: Schema.String }) {
  override get message(): string {
    return `Pod ${this.pod} is not made: the run was cancelled.`
  }
  readonly isRetryable = false
}

/** Another open run holds the job's one writer. */
export class JobBusy extends Schema.TaggedError<JobBusy>()("JobBusy", {
  pod: Schema.String,
  jobId: Schema.Int,
  workflowId: Schema.String
}) {
  override get message(): string {
    return `Job ${this.jobId} is being written by another run (workflow ${this.workflowId}, Pod ${this.pod}); this run waits until that one ends. If no such workflow is open, delete the Pod.`
  }
  readonly isRetryable = true
  readonly retryDelay = Duration.seconds(30)
}

/** Something that is not OLake's has the name of our Pod. */
export class NameConflict extends Schema.TaggedError<NameConflict>()("NameConflict", { pod: Schema.String }) {
  override get message(): string {
    return `Pod ${this.pod} exists but was not made by an OLake worker. Rename or delete it, then run again.`
  }
  readonly isRetryable = false
}

/** A Pod that should be gone is still there. */
export class StillTerminating extends Schema.TaggedError<StillTerminating>()("StillTerminating", {
  pod: Schema.String,
  node: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `Pod ${this.pod} was asked to stop but is still there${this.node ? ` on node ${this.node}` : ""}. If that node is lost, delete the Node object or force-delete the Pod.`
  }
  readonly isRetryable = true
}

/** The API server has refused the Pod for too long: a permission, an account or a quota is missing. */
export class PodRefused extends Schema.TaggedError<PodRefused>()("PodRefused", {
  pod: Schema.String,
  reason: Schema.String,
  minutes: Schema.Int
}) {
  override get message(): string {
    return `Pod ${this.pod} was refused for ${this.minutes} minutes. ${this.reason}. Grant the worker what is missing, or correct JOB_SERVICE_ACCOUNT_NAME or the namespace's quota; then run again.`
  }
  readonly isRetryable = false
}

export type PodRunnerError =
  | KubernetesError
  | Cancelled
  | JobBusy
  | NameConflict
  | PodRefused
  | StillTerminating
