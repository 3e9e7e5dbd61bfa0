/**
 * Log lines: JSON as zerolog writes it, which OLake's tools read, or text for people. Configured secrets that
 * slipped into a message are masked here, as the last line of defence.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import * as Predicate from "effect/Predicate"
import * as References from "effect/References"
import { WorkerConfig } from "./Config.ts"
import { maskOf, type Mask } from "./Masking.ts"
import { isTraced } from "./Tracing.ts"

const LEVELS: Readonly<Record<string, LogLevel.LogLevel>> = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  fatal: "Fatal"
}

/** Longest error text in a line; a stack is only written at debug. */
const LONGEST_ERROR = 4_000

interface Entry {
  readonly time: string
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly error: string | undefined
}

/** A value that cannot be shown must not fail the program that logs it. */
const attempt = <A>(show: () => A): A | string => {
  try {
    return show()
  } catch {
    return "<unprintable>"
  }
}

/** Most values of one field that are shown, and the deepest. */
const MOST_VALUES = 2_000
const DEEPEST = 8

/** What JSON can hold, whatever was logged, with each text in it masked. */
const printable = (masked: Mask, root: unknown): unknown => {
  let left = MOST_VALUES
  const show = (value: unknown, above: ReadonlyArray<unknown>): unknown => {
    if (typeof value === "string" || typeof value === "bigint" || typeof value === "symbol")
      return masked(String(value))
    if (typeof value === "number")
      return masked(String(value)) === String(value) ? value : masked(String(value))
    if (typeof value !== "object" || value === null) return value
    if (above.includes(value)) return "<circular>"
    left -= 1
    if (left < 0 || above.length >= DEEPEST) return "<more>"
    const inside = [...above, value]
    return attempt(() => {
      if (value instanceof Error || Cause.isCause(value)) return masked(describe(value, false))
      if ("toJSON" in value && typeof value.toJSON === "function") return show(value.toJSON(), inside)
      if (value instanceof Map) return show(Object.fromEntries(value), inside)
      if (Array.isArray(value) || value instanceof Set) return [...value].map((item) => show(item, inside))
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [masked(key), show(item, inside)] as const)
      )
    })
  }
  return show(root, [])
}

const textOf = (shown: unknown): string =>
  typeof shown === "string" ? shown : (JSON.stringify(shown) ?? String(shown))

/** An error of fields without prose has an empty message. Only flat fields: errors may hold each other in a ring. */
const messageOf = (error: Error): string => {
  if (error.message !== "") return error.message
  const flat = Object.entries(error).filter(([key, value]) => key !== "_tag" && typeof value !== "object")
  return flat.length === 0
    ? error.name
    : `${error.name} ${textOf(printable(String, Object.fromEntries(flat)))}`
}

const describe = (problem: Error | Cause.Cause<unknown>, withStack: boolean): string => {
  if (withStack) return Cause.isCause(problem) ? Cause.pretty(problem) : (problem.stack ?? problem.message)
  if (!Cause.isCause(problem)) return messageOf(problem)
  const error = Cause.squash(problem)
  if (!(error instanceof Error)) return Cause.pretty(problem)
  return error.message === "" ? messageOf(error) : String(error)
}

const toEntry = (options: Logger.Options<unknown>, masked: Mask, withStack: boolean): Entry => {
  const parts = Array.isArray(options.message) ? options.message : [options.message]
  const annotations = printable(masked, options.fiber.getRef(References.CurrentLogAnnotations))
  const fields: Record<string, unknown> = Predicate.isObject(annotations) ? { ...annotations } : {}
  const { span } = options.fiber.cache
  if (span !== undefined && options.fiber.getRef(isTraced))
    Object.assign(fields, { trace_id: span.traceId, span_id: span.spanId })
  const texts: Array<string> = []
  const errors: Array<string> = []
  for (const part of parts) {
    if (part instanceof Error || Cause.isCause(part)) {
      errors.push(attempt(() => describe(part, withStack)))
      continue
    }
    const shown = printable(masked, part)
    if (Predicate.isObject(shown)) Object.assign(fields, shown)
    else texts.push(textOf(shown))
  }
  if (options.cause.reasons.length > 0) errors.push(attempt(() => describe(options.cause, withStack)))
  return {
    time: options.date.toISOString(),
    level: options.logLevel.toLowerCase(),
    message: masked(texts.join(" ")),
    fields,
    // Masked before it is cut: half a secret is one too.
    error: errors.length === 0 ? undefined : masked(errors.join("; ")).slice(0, LONGEST_ERROR)
  }
}

const RESERVED = new Set(["level", "time", "message", "error"])

const asJson = ({ time, level, message, fields, error }: Entry): string => {
  // A field must not pretend to be the line's own level or time.
  const own = Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [RESERVED.has(key) ? `field_${key}` : key, value])
  )
  return JSON.stringify({ level, ...own, ...(error === undefined ? {} : { error }), time, message })
}

const COLOURS: Readonly<Record<string, string>> = {
  warn: "33",
  error: "31",
  fatal: "31",
  debug: "90",
  trace: "90",
  info: "32"
}

const asText =
  (colours: boolean) =>
  ({ time, level, message, fields, error }: Entry): string => {
    const word = level.toUpperCase().padEnd(5)
    const shown = colours ? `\u001b[${COLOURS[level] ?? "0"}m${word}\u001b[0m` : word
    const pairs = Object.entries(fields).map(([key, value]) => `${key}=${textOf(value)}`)
    const tail = [...pairs, ...(error === undefined ? [] : [`error=${JSON.stringify(error)}`])].join(" ")
    return `${time.slice(11, 23)} ${shown} ${message}${tail === "" ? "" : `  ${tail}`}`
  }

/** The lines, and where they go: `write` answers false for a line it could not take; the next one tells how many. */
export const make = (
  settings: WorkerConfig["Service"],
  write: (line: string) => unknown,
  colours: boolean
): Logger.Logger<unknown, void> => {
  const masked = maskOf(settings)
  const withStack = settings.logging.level === "debug" || settings.logging.level === "trace"
  const format = settings.logging.format === "json" ? asJson : asText(colours)
  let lost = 0
  return Logger.make((options) => {
    const entry = toEntry(options, masked, withStack)
    const fields = lost === 0 ? entry.fields : { ...entry.fields, linesLost: lost }
    lost = write(format({ ...entry, fields })) === false ? lost + 1 : 0
  })
}

/** A pipe whose reader hangs keeps its lines in our memory: more than this is lost. */
const MOST_QUEUED = 8 * 1024 * 1024

export const toStream =
  (stream: Pick<NodeJS.WritableStream & { readonly writableLength: number }, "write" | "writableLength">) =>
  (line: string): boolean => {
    if (stream.writableLength > MOST_QUEUED) return false
    stream.write(`${line}\n`)
    return true
  }

export const layer = Layer.unwrap(
  Effect.map(WorkerConfig, (settings) => {
    // A reader that went away (EPIPE) stops the log, never the worker.
    if (process.stdout.listenerCount("error") === 0) process.stdout.on("error", () => undefined)
    return Layer.mergeAll(
      Logger.layer([make(settings, toStream(process.stdout), process.stdout.isTTY)]),
      Layer.succeed(References.MinimumLogLevel, LEVELS[settings.logging.level] ?? "Info")
    )
  })
)

type SdkLevel = "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR"

/** Said by the SDK at every start or about failures that the activity's own line has told already. */
const CHATTER =
  /^(?:No (?:Nexus services|workflows|activities) registered|Activity failed|Workflow failed|Worker state changed)/

/** A line of the Temporal SDK's own log. */
export const fromTemporal = (
  level: SdkLevel,
  message: string,
  meta: Record<string, unknown> = {}
): Effect.Effect<void> => {
  const { error, ...fields } = meta
  // Base64 of the task's identity; the readable ids stand beside it.
  delete fields.taskToken
  const shown = CHATTER.test(message) ? "Debug" : (LEVELS[level.toLowerCase()] ?? "Info")
  return Effect.annotateLogs(
    Effect.logWithLevel(shown as Exclude<typeof shown, "All" | "None">)(
      message,
      ...(error === undefined ? [] : [error])
    ),
    fields
  )
}
