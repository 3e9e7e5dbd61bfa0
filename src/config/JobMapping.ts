/** OLAKE_JOB_MAPPING: job id to node labels. A bad entry is left out and said; the others hold. Pure. */

export type JobMapping = ReadonlyMap<number, Readonly<Record<string, string>>>

export interface ParsedMapping {
  readonly mapping: JobMapping
  /** One line per entry that was left out. */
  readonly problems: ReadonlyArray<string>
}

const NAME = "[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
const LABEL_KEY = new RegExp(`^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?${NAME}$`)
const LABEL_VALUE = new RegExp(`^(?:${NAME})?$`)

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const problemWith = (path: string, labels: unknown): string | undefined => {
  if (!isRecord(labels)) return `${path}: expected an object of node labels`
  const entries = Object.entries(labels)
  if (entries.length === 0) return `${path}: names no node label`
  for (const [key, value] of entries) {
    if (!LABEL_KEY.test(key)) return `${path}.${key}: is not a valid label name`
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
    const problem = /^\d{1,15}$/.test(id)
      ? problemWith(path, labels)
      : `${path}: expected a job id, a whole number`
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
