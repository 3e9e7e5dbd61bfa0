/** Why a Pod cannot be run now, or at all. */
import * as Schema from "effect/Schema"
import type { KubernetesError } from "./api/KubernetesError.ts"
import type { PodView } from "./pod/PodView.ts"

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
  node: Schema.optionalKey(Schema.String),
  /** Names of what keeps the object, where its containers have ended. */
  finalizers: Schema.optionalKey(Schema.Array(Schema.String))
}) {
  override get message(): string {
    if (this.finalizers !== undefined && this.finalizers.length > 0) {
      return `Pod ${this.pod} has ended and was deleted, but finalizers keep it: ${this.finalizers.join(", ")}. The next Pod of its job waits until they are removed.`
    }
    return `Pod ${this.pod} was asked to stop but is still there${this.node ? ` on node ${this.node}` : ""}. If that node is lost, delete the Node object or force-delete the Pod.`
  }
  readonly isRetryable = true
}

export const stillTerminating = ({ name, node, finalizers }: PodView): StillTerminating =>
  new StillTerminating({
    pod: name,
    ...(node === undefined ? {} : { node }),
    ...(finalizers === undefined ? {} : { finalizers })
  })

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

export type PodRunnerError = KubernetesError | NameConflict | PodRefused | StillTerminating
