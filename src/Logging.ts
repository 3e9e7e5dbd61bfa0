/**
 * Log lines: JSON as zerolog writes it, which OLake's tools read, or text for people. Configured secrets that
 * slipped into a message are masked here, as the last line of defence.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import { WorkerConfig } from "./Config.ts"

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

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !(value instanceof Error) && !Cause.isCause(value)

const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  if (value instanceof Error) return value.message
  if (Cause.isCause(value))
    return Cause.squash(value) instanceof Error ? String(Cause.squash(value)) : Cause.pretty(value)
  return JSON.stringify(value, replacer) ?? String(value)
}

/** JSON has no bigint, and an error's fields are not enumerable. */
const replacer = (_key: string, value: unknown): unknown => {
  if (typeof value === "bigint") return value.toString()
  return value instanceof Error ? value.message : value
}

const toEntry = (options: Logger.Options<unknown>, withStack: boolean): Entry => {
  const parts = Array.isArray(options.message) ? options.message : [options.message]
  const fields: Record<string, unknown> = { ...options.fiber.getRef(References.CurrentLogAnnotations) }
  const texts: Array<string> = []
  const errors: Array<string> = []
  for (const part of parts) {
    if (part instanceof Error || Cause.isCause(part)) errors.push(describe(part, withStack))
    else if (isPlain(part)) Object.assign(fields, part)
    else texts.push(textOf(part))
  }
  if (options.cause.reasons.length > 0) errors.push(describe(options.cause, withStack))
  return {
    time: options.date.toISOString(),
    level: options.logLevel.toLowerCase(),
    message: texts.join(" "),
    fields,
    error: errors.length === 0 ? undefined : errors.join("; ").slice(0, LONGEST_ERROR)
  }
}

const describe = (problem: Error | Cause.Cause<unknown>, withStack: boolean): string => {
  if (!withStack) return textOf(problem)
  return Cause.isCause(problem) ? Cause.pretty(problem) : (problem.stack ?? problem.message)
}

const RESERVED = new Set(["level", "time", "message", "error"])

const asJson = ({ time, level, message, fields, error }: Entry): string => {
  // A field must not pretend to be the line's own level or time.
  const own = Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [RESERVED.has(key) ? `field_${key}` : key, value])
  )
  return JSON.stringify({ level, ...own, ...(error === undefined ? {} : { error }), time, message }, replacer)
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

/** Replaces each secret wherever it stands, also in its JSON form. Short ones would mask ordinary words. */
export const mask = (secrets: ReadonlyArray<string>): ((line: string) => string) => {
  const forms = secrets
    .filter((secret) => secret.length >= 6)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    .toSorted((a, b) => b.length - a.length)
  return (line) => forms.reduce((text, form) => text.replaceAll(form, "<redacted>"), line)
}

/** The lines, and where they go. A reader that went away (EPIPE) stops the log, never the worker. */
export const make = (
  settings: WorkerConfig["Service"],
  write: (line: string) => void,
  colours: boolean
): Logger.Logger<unknown, void> => {
  const { password } = settings.database
  const { secretKey } = settings.jobs
  const masked = mask([password, ...(secretKey === undefined ? [] : [secretKey])].map(Redacted.value))
  const withStack = settings.logging.level === "debug" || settings.logging.level === "trace"
  const format = settings.logging.format === "json" ? asJson : asText(colours)
  return Logger.make((options) => write(masked(format(toEntry(options, withStack)))))
}

const toStdout = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

export const layer = Layer.unwrap(
  Effect.map(WorkerConfig, (settings) => {
    if (process.stdout.listenerCount("error") === 0) process.stdout.on("error", () => undefined)
    return Layer.mergeAll(
      Logger.layer([make(settings, toStdout, process.stdout.isTTY)]),
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
