/** Reads what a connector says: lines of `olake.log` (JSON) or of its standard output (coloured text). Pure. */
import * as Predicate from "effect/Predicate"
import { type JsonObject, parseObject } from "../Json.ts"
import { oneLine } from "../Text.ts"

/** The result of TestConnectionWorkflow, as OLake's UI reads it. */
export interface ConnectionStatus {
  readonly message: string
  readonly status: string
}

// eslint-disable-next-line no-control-regex -- connectors colour their output with escape sequences
const COLOUR = /\u001b\[[0-9;]*m/g

const firstDefined = <A, B>(values: ReadonlyArray<A>, f: (value: A) => B | undefined): B | undefined => {
  for (const value of values) {
    const result = f(value)
    if (result !== undefined) return result
  }
  return undefined
}

const linesFromLast = (text: string): ReadonlyArray<string> =>
  text.replace(COLOUR, "").split("\n").toReversed()

const statusIn = (value: JsonObject | undefined): ConnectionStatus | undefined => {
  const holder = Predicate.isObject(value?.message) ? value.message : value
  const status = holder?.connectionStatus
  if (!Predicate.hasProperty(status, "status") || !Predicate.isString(status.status)) return undefined
  const message =
    Predicate.hasProperty(status, "message") && Predicate.isString(status.message) ? status.message : ""
  return { message, status: status.status }
}

/** The last connectionStatus in a log or in standard output. */
export const connectionStatus = (text: string): ConnectionStatus | undefined => {
  const statusOf = (line: string) =>
    line.includes("connectionStatus") ? statusIn(parseObject(line.slice(line.indexOf("{")))) : undefined
  return firstDefined(linesFromLast(text), statusOf)
}

/** The last line that holds a JSON object, whatever stands around it. */
export const lastJsonObject = (text: string): JsonObject | undefined =>
  firstDefined(linesFromLast(text), (line) => {
    const [start, end] = [line.indexOf("{"), line.lastIndexOf("}")]
    return start < 0 || end < start ? undefined : parseObject(line.slice(start, end + 1))
  })

const ERROR_LEVELS = new Set(["error", "fatal", "panic"])

const errorIn = (line: string): string | undefined => {
  const entry = line.startsWith("{") ? parseObject(line) : undefined
  if (entry !== undefined) {
    if (!ERROR_LEVELS.has(String(entry.level).toLowerCase())) return undefined
    return Predicate.isString(entry.message)
      ? entry.message
      : JSON.stringify(entry.message ?? entry.error ?? entry)
  }
  return /(?:^|\s)(?:FATAL|ERROR|PANIC)\s+(.+)$/.exec(line)?.[1] ?? /^(?:panic|Error): (.+)$/.exec(line)?.[0]
}

/** Longest error line that goes into a failure's message. */
const LONGEST = 600

/** The connector's last few ERROR and FATAL lines, none twice. */
export const errorLines = (text: string, most: number): ReadonlyArray<string> => {
  const lines = linesFromLast(text).flatMap((line) => errorIn(line.trim()) ?? [])
  return [...new Set(lines)].slice(0, most).toReversed().map(shortened)
}

const shortened = (line: string): string => (line.length <= LONGEST ? line : `${line.slice(0, LONGEST)}…`)

/** The connector's last ERROR or FATAL line; the last line at all where it wrote none. */
export const lastErrorLine = (text: string): string | undefined => {
  const lines = linesFromLast(text).map((line) => line.trim())
  const line = firstDefined(lines, errorIn) ?? lines.find((candidate) => candidate !== "")
  return line === undefined ? undefined : shortened(line)
}

/** What a connector, or the Java program that writes for it, says when memory runs out without the kernel's doing. */
const OUT_OF_MEMORY = /runtime: out of memory|java\.lang\.OutOfMemoryError/

export const saysOutOfMemory = (line: string): boolean => OUT_OF_MEMORY.test(line)

/** The line that says so, wherever it stands. */
export const outOfMemoryLine = (text: string): string | undefined => {
  const line = linesFromLast(text).find(saysOutOfMemory)?.trim()
  if (line === undefined) return undefined
  return shortened(errorIn(line) ?? line)
}

/** One line of `olake.log`. */
export interface LogLine {
  readonly time: string
  readonly level: string
  readonly message: string
}

/** Longest line that is shown beside a run. */
const LONGEST_SHOWN = 300

const textIn = (value: unknown): string => (Predicate.isString(value) ? value : (JSON.stringify(value) ?? ""))

/** The last lines of `olake.log`, as OLake's UI shows them: no debug, nothing that is no whole line. */
export const lastLogLines = (text: string, most: number): ReadonlyArray<LogLine> => {
  const lines: Array<LogLine> = []
  for (const line of text.split("\n").toReversed()) {
    if (lines.length === most) break
    const entry = parseObject(line)
    if (entry === undefined || entry.level === "debug") continue
    const { time, level, message } = entry
    lines.push({
      time: oneLine(textIn(time ?? ""), 40),
      level: oneLine(textIn(level ?? ""), 10),
      message: oneLine(textIn(message ?? entry.error ?? ""), LONGEST_SHOWN)
    })
  }
  return lines.toReversed()
}
