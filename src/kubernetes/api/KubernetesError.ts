/** Why a call to the Kubernetes API failed, classified once, where the answer enters. */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

export class KubernetesError extends Schema.TaggedError<KubernetesError>()("KubernetesError", {
  /** What was asked, such as `create Pod olake-check-1`. */
  operation: Schema.String,
  /** HTTP status; 0 where no answer came. */
  status: Schema.Int,
  /** The API's own reason (`AlreadyExists`, `Expired`), or the network's (`ECONNREFUSED`). */
  reason: Schema.String,
  detail: Schema.String,
  /** Seconds, from a Retry-After header. */
  retryAfter: Schema.optionalKey(Schema.Number)
}) {
  override get message(): string {
    const code = this.status === 0 ? "" : ` (HTTP ${this.status})`
    return `Kubernetes: cannot ${this.operation}: ${this.reason}${code}${this.detail === "" ? "" : `: ${this.detail}`}`
  }
  /**
   * Whether the same call may succeed later. A refused permission counts: roles get restored,
   * and a job must not be lost over it; the caller bounds how long it tries. So does a conflict:
   * two creates at once under one quota get it.
   */
  get isRetryable(): boolean {
    return (
      this.isTransient || this.isConflict || this.status === 401 || (this.status === 403 && !this.isAdmission)
    )
  }
  /** No answer, or one that says "not now". A create may have happened all the same. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500
  }
  /** Refused because of what the Pod says, not of who asks. */
  get isAdmission(): boolean {
    return (
      this.status === 403 && /violates PodSecurity|admission webhook|is being terminated/.test(this.detail)
    )
  }
  get isNotFound(): boolean {
    return this.status === 404
  }
  get alreadyExists(): boolean {
    return this.status === 409 && this.reason === "AlreadyExists"
  }
  get isConflict(): boolean {
    return this.status === 409 && !this.alreadyExists
  }
  /** The resourceVersion is too old: list again. */
  get isExpired(): boolean {
    return this.status === 410 || this.reason === "Expired" || this.reason === "Gone"
  }
}

/** 250 ms doubling to 30 s with full jitter; a minute where a permission or the namespace is missing. */
export const delayAfter = (error: KubernetesError, failures: number, random: number): Duration.Duration => {
  if (error.retryAfter !== undefined) return Duration.seconds(Math.min(error.retryAfter, 60) + random)
  const longest = error.status === 403 || error.status === 404 ? 60_000 : 30_000
  return Duration.millis(Math.max(random, 0.1) * Math.min(longest, 250 * 2 ** Math.min(failures, 12)))
}
