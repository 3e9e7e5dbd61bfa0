/** The runs for a terminal: bars and colours where somebody looks at one, plain lines elsewhere. Pure. */
import type { JobsDocument, RunDocument } from "./Document.ts"
import type { State } from "./Run.ts"
import { PHASES, STATES, titleOf } from "./Words.ts"

export interface Look {
  readonly colours: boolean
  /** Columns; longer lines are cut. None where lines go to a file or a program. */
  readonly width: number | undefined
}

const BAR = 30

const count = (n: number): string => Math.round(n).toLocaleString("en")

/** A span of time, to its two largest units. */
export const span = (seconds: number): string => {
  const s = Math.round(seconds)
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`
  if (s < 172_800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`
}

const MARKS: Readonly<Record<State, readonly [mark: string, colour: string]>> = {
  active: ["●", "34"],
  retrying: ["↻", "33"],
  left: ["→", "33"],
  succeeded: ["✓", "32"],
  failed: ["✗", "31"],
  cancelled: ["■", "33"],
  ended: ["○", "33"]
}

const paint = (look: Look, code: string, text: string): string =>
  look.colours ? `\u001b[${code}m${text}\u001b[0m` : text

const stateOf = (run: RunDocument, now: number): string => {
  if (run.state === "active") return `${PHASES[run.phase ?? "preparing"]}, ${span(run.secondsInPhase ?? 0)}`
  const ago =
    run.endedAt === undefined ? "" : `, ${span(Math.max(0, now - Date.parse(run.endedAt)) / 1000)} ago`
  return `${STATES[run.state]}${ago}`
}

const barOf = (share: number): string => {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * BAR)
  return `${"█".repeat(filled)}${"░".repeat(BAR - filled)}`
}

const progressOf = ({ progress, state }: RunDocument): string | undefined => {
  if (progress === undefined) return undefined
  const { share, rows, rowsPerSecond, remainingSeconds } = progress
  const isActive = state === "active"
  return [
    ...(isActive && share !== undefined ? [`${barOf(share)} ${Math.round(share * 100)} %`] : []),
    `${count(rows)} rows`,
    ...(rowsPerSecond === undefined ? [] : [`${count(rowsPerSecond)} rows/s`]),
    ...(isActive && remainingSeconds !== undefined ? [`${span(remainingSeconds)} left`] : [])
  ].join("  ")
}

const placeOf = ({ pod, node }: RunDocument): string =>
  pod === undefined ? "" : `Pod ${pod}${node === undefined ? "" : ` on ${node}`}`

/** One run, the most telling line first. */
const linesOf = (run: RunDocument, now: number, look: Look): ReadonlyArray<string> => {
  const { operation, jobId, connector, detail, attempt, failure, lastLines, workflowId } = run
  const [mark, colour] = MARKS[run.state]
  const title = [
    titleOf(operation, jobId),
    connector ?? "",
    stateOf(run, now),
    ...(attempt > 1 ? [`attempt ${attempt}`] : [])
  ]
  const last = lastLines.at(-1)
  const below: ReadonlyArray<readonly [colour: string, text: string | undefined]> = [
    ["0", progressOf(run)],
    ["90", [placeOf(run), workflowId].filter((text) => text !== "").join("  ")],
    ["33", detail],
    ["31", failure === undefined ? undefined : `${failure.type}: ${failure.cause}`],
    ["0", failure?.remedy === undefined ? undefined : `What to do: ${failure.remedy}`],
    ["90", last === undefined ? undefined : `${last.time.slice(11, 19)} ${last.level} ${last.message}`]
  ]
  return [
    `${paint(look, colour, mark)} ${cut(title.filter((text) => text !== "").join("  "), look, 2)}`,
    ...below.flatMap(([code, text]) =>
      text === undefined || text === "" ? [] : [`  ${paint(look, code, cut(text, look, 2))}`]
    )
  ]
}

const cut = (text: string, { width }: Look, indent: number): string =>
  width === undefined || text.length <= width - indent
    ? text
    : `${text.slice(0, Math.max(0, width - indent - 1))}…`

export const render = (document: JobsDocument, look: Look): ReadonlyArray<string> => {
  const now = Date.parse(document.time)
  const active = document.runs.filter(({ state }) => state === "active").length
  const head = `Worker ${document.worker}: ${active} active, ${document.runs.length - active} before`
  const more = document.omitted > 0 ? [`${document.omitted} more are not shown`] : []
  return [
    paint(look, "1", cut(head, look, 0)),
    ...document.runs.flatMap((run) => ["", ...linesOf(run, now, look)]),
    ...(more.length === 0 ? [] : ["", ...more])
  ]
}
