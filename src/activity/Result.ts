/** Temporal refuses payloads over 2 MiB, and would retry such a result for ever: say so instead. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { JsonFile } from "../storage/JsonFile.ts"

export class ResultTooLarge extends Schema.TaggedError<ResultTooLarge>()("ResultTooLarge", {
  file: Schema.String,
  bytes: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    return `${this.file} has ${this.bytes} bytes; Temporal takes results of at most ${this.limit}. Select fewer streams or schemas.`
  }
  readonly isRetryable = false
}

/** Below Temporal's limit of 2 MiB (`limit.blobSize.error`), with room for its own wrapping. */
export const LARGEST_RESULT = 2 * 1024 * 1024 - 16 * 1024

export const bounded = (
  file: string,
  { value }: JsonFile
): Effect.Effect<JsonFile["value"], ResultTooLarge> => {
  const bytes = Buffer.byteLength(JSON.stringify(value))
  return bytes <= LARGEST_RESULT
    ? Effect.succeed(value)
    : Effect.fail(new ResultTooLarge({ file, bytes, limit: LARGEST_RESULT }))
}
