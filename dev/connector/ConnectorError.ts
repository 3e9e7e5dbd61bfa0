/** Why a command ends with exit code 1; the message is the text of its FATAL line. */
import * as Data from "effect/Data"

export class ConnectorError extends Data.TaggedError("ConnectorError")<{ readonly message: string }> {}

/** The messages of an error and its causes, each once, outermost first. */
export const describe = (error: unknown): string => {
  const messages: Array<string> = []
  let next = error
  while (next instanceof Error) {
    if (next.message !== "" && !messages.includes(next.message)) messages.push(next.message)
    next = next instanceof AggregateError ? next.errors[0] : next.cause
  }
  return messages.length > 0 ? messages.join(": ") : String(error)
}
