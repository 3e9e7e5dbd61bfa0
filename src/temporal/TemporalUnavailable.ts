/** The failure of a call to Temporal's frontend, and the text of what the SDK throws. */
import * as Schema from "effect/Schema"

export class TemporalUnavailable extends Schema.TaggedError<TemporalUnavailable>()("TemporalUnavailable", {
  operation: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `Temporal: cannot ${this.operation}: ${this.detail}`
  }
  readonly isRetryable = true
}

export const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

export const unavailable =
  (operation: string) =>
  (detail: string): TemporalUnavailable =>
    new TemporalUnavailable({ operation, detail })
