/** The findings as text for people, or as one JSON document. Pure. */
import type { Finding, Status } from "./Check.ts"

export interface Report {
  /** The worst of all; nothing is worse than `ok` for having been skipped. */
  readonly status: Exclude<Status, "skipped">
  readonly counts: Readonly<Record<Status, number>>
  readonly findings: ReadonlyArray<Finding>
}

export const reportOf = (findings: ReadonlyArray<Finding>): Report => {
  const count = (wanted: Status) => findings.filter(({ status }) => status === wanted).length
  const counts = {
    ok: count("ok"),
    warning: count("warning"),
    problem: count("problem"),
    skipped: count("skipped")
  }
  return {
    status: counts.problem > 0 ? "problem" : counts.warning > 0 ? "warning" : "ok",
    counts,
    findings
  }
}

const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? "" : "s"}`

export const toText = ({ counts, findings }: Report): string => {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const indent = " ".repeat(width + 11)
  const below = (text: string) => text.replaceAll("\n", `\n${indent}`)
  const lines = findings.flatMap(({ check, status, found, fix }) => [
    `${status.padEnd(7)}  ${check.padEnd(width)}  ${below(found)}`,
    ...(fix === undefined ? [] : [`${indent}-> ${below(fix)}`])
  ])
  const sum = [
    `${counts.ok} ok`,
    plural(counts.warning, "warning"),
    plural(counts.problem, "problem"),
    `${counts.skipped} skipped`
  ].join(", ")
  return [...lines, "", sum].join("\n")
}

export const toJson = (report: Report): string => JSON.stringify(report, undefined, 2)
