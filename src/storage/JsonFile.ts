/** A file of a run that should hold a JSON object. Pure. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

/** A file of a run that is there but not what it should be. */
export class InvalidFile extends Schema.TaggedError<InvalidFile>()("InvalidFile", {
  path: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.path} ${this.problem}`
  }
  readonly isRetryable = false
}

export interface JsonFile {
  readonly text: string
  readonly value: Readonly<Record<string, unknown>>
}

export const parseObject = (file: string, text: string): Effect.Effect<JsonFile, InvalidFile> =>
  Effect.suspend(() => {
    if (text.trim() === "") return Effect.fail(new InvalidFile({ path: file, problem: "is empty" }))
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (cause) {
      const problem = `is not valid JSON, perhaps half written (${cause instanceof Error ? cause.message : String(cause)})`
      return Effect.fail(new InvalidFile({ path: file, problem }))
    }
    return Predicate.isObject(value)
      ? Effect.succeed({ text, value: value }) // SAFETY: a parsed JSON object has text keys only
      : Effect.fail(new InvalidFile({ path: file, problem: "is JSON, but not an object" }))
  })
