/** A job's `advanced_settings`, as OLake's UI stores them. Pure. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/** The Go worker's name for it; the spelling is OLake's. */
export class InvalidAdvanceSettings extends Schema.TaggedError<InvalidAdvanceSettings>()(
  "InvalidAdvanceSettings",
  { jobId: Schema.Int, problem: Schema.String }
) {
  override get message(): string {
    return `The advanced settings of job ${this.jobId} cannot be read: ${this.problem}. No Pod was created, and the job's state is unchanged. Save the job again in the UI, then run again.`
  }
  readonly isRetryable = false
}

const AdvancedSettings = Schema.Struct({ index_required: Schema.optionalKey(Schema.NullOr(Schema.Boolean)) })
const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.NullOr(AdvancedSettings)))

/** Whether the job's connector keeps an index, as positional deletes and deletion vectors need it. */
export const needsIndex = (jobId: number, text: string): Result.Result<boolean, InvalidAdvanceSettings> => {
  if (text.trim() === "") return Result.succeed(false)
  return decode(text).pipe(
    Result.map((settings) => settings?.index_required === true),
    Result.mapError(
      () =>
        new InvalidAdvanceSettings({ jobId, problem: "expected an object whose index_required is a boolean" })
    )
  )
}
