/** OLAKE_JOB_MAPPING: job id to node labels. A bad entry is left out and said; the others hold. Pure. */
import { name } from "./Setting.ts"

export type JobMapping = ReadonlyMap<number, Readonly<Record<string, string>>>

export interface ParsedMapping {
  readonly mapping: JobMapping
  /** One line per entry that was left out. */
  readonly problems: ReadonlyArray<string>
}

const NAME = "[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
const LABEL_KEY = new RegExp(`^${NAME}$`)
const LABEL_VALUE = new RegExp(`^(?:${NAME})?$`)

/** A name, perhaps with a domain before it: `node-type`, `kubernetes.io/arch`. */
const isLabelKey = (key: string): boolean => {
  const slash = key.indexOf("/")
  const domain = slash < 0 ? undefined : key.slice(0, slash)
  return LABEL_KEY.test(key.slice(slash + 1)) && (domain === undefined || name.parse(domain) !== undefined)
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const problemWith = (path: string, id: string, labels: unknown, taken: JobMapping): string | undefined => {
  if (!/^\d{1,15}$/.test(id)) return `${path}: expected a job id, a whole number`
  if (taken.has(Number(id))) return `${path}: names the same job as an entry before it`
  if (!isRecord(labels)) return `${path}: expected an object of node labels`
  const entries = Object.entries(labels)
  if (entries.length === 0) return `${path}: names no node label`
  for (const [key, value] of entries) {
    if (!isLabelKey(key)) return `${path}.${key}: is not a valid label name`
    if (typeof value !== "string" || value.trim() === "") return `${path}.${key}: expected a label value`
    if (!LABEL_VALUE.test(value.trim())) return `${path}.${key}: is not a valid label value`
  }
  return undefined
}

/** Undefined where the text is no JSON object at all. */
export const parseMapping = (text: string): ParsedMapping | undefined => {
  let entries: unknown
  try {
    entries = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(entries)) return undefined
  const mapping = new Map<number, Record<string, string>>()
  const problems: Array<string> = []
  for (const [id, labels] of Object.entries(entries)) {
    const path = `OLAKE_JOB_MAPPING.${id}`
    const problem = problemWith(path, id, labels, mapping)
    if (problem !== undefined || !isRecord(labels)) {
      problems.push(`${problem ?? path}; this entry is left out`)
      continue
    }
    mapping.set(
      Number(id),
      Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, String(value).trim()]))
    )
  }
  return { mapping, problems }
}
