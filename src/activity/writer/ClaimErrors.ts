/** Why a run may not write for its job now, or not at all. */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

/** The run was cancelled before it had a Pod. */
export class Cancelled extends Schema.TaggedError<Cancelled>()("Cancelled", { pod: Schema.String }) {
  override get message(): string {
    return `Pod ${this.pod} is not made: the run was cancelled.`
  }
  readonly isRetryable = false
}

/** Temporal no longer waits for this attempt: another one has the run, or the run is over. */
export class Superseded extends Schema.TaggedError<Superseded>()("Superseded", { pod: Schema.String }) {
  override get message(): string {
    return `Pod ${this.pod} is not made by this attempt: another attempt has the run now, or the run is over.`
  }
  readonly isRetryable = true
}

/** Another run holds the job's one writer. */
export class JobBusy extends Schema.TaggedError<JobBusy>()("JobBusy", {
  pod: Schema.String,
  /** Kubernetes namespace. */
  namespace: Schema.String,
  jobId: Schema.Int,
  workflowId: Schema.String,
  temporalNamespace: Schema.String,
  temporalNamespaceId: Schema.String,
  /** Whether this Temporal does not know the run that the Pod belongs to. */
  isForeign: Schema.Boolean
}) {
  override get message(): string {
    const { pod, namespace, jobId, workflowId, temporalNamespace, temporalNamespaceId } = this
    const holder = `Job ${jobId} is being written by another run (workflow ${workflowId}, Pod ${pod} in namespace ${namespace}).`
    if (!this.isForeign) {
      return `${holder} This run waits until that one ends. To end it now, cancel it in the UI, or: temporal workflow cancel --namespace ${temporalNamespace} --workflow-id ${workflowId}`
    }
    const id = temporalNamespaceId === "" ? "" : `, id ${temporalNamespaceId}`
    const maker =
      temporalNamespace === ""
        ? "its Pod does not say which Temporal it is of"
        : `its Pod was made for Temporal namespace "${temporalNamespace}"${id}`
    return `${holder} This Temporal does not know that run: ${maker}. This run waits until the Pod ends. If nothing needs that Pod any more: kubectl delete pod ${pod} --namespace ${namespace}`
  }
  readonly isRetryable = true
  readonly retryDelay = Duration.seconds(30)
}
