/** What an activity's program knows, and what its errors must say. */
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import type { RunIdentity } from "../olake/Job.ts"

/** What an error must say about itself to leave an activity; one without it does not compile. */
export interface ActivityError extends Error {
  readonly _tag: string
  readonly isRetryable: boolean
  /** Type of the Temporal failure, where it is not the tag. */
  readonly failureType?: string
  readonly retryDelay?: Duration.Duration
  /** The word for it in worker.log, where OLake's UI marks such failures. */
  readonly category?: string | undefined
  /** What to do about it, where the message ends with that. */
  readonly remedy?: string
}

/** What an activity knows of the run it belongs to. */
export interface ActivityRun {
  readonly run: RunIdentity
  readonly activityId: string
  readonly attempt: number
  /** When Temporal first scheduled it, in milliseconds since the epoch; the same in every attempt. */
  readonly scheduledAt: number
}

export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()("InvalidRequest", {
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `The request is not valid: ${this.problems.join("; ")}`
  }
  readonly isRetryable = false
}
