/** OLAKE_JOB_MAPPING: job id to node labels; job 0 stands for all that have no entry. Pure. */
import * as Predicate from "effect/Predicate"
import { type ByJob, type ParsedEntry, parseByJob } from "./ByJob.ts"
import { name } from "./Setting.ts"

export type Labels = Readonly<Record<string, string>>

export type JobMapping = ReadonlyMap<number, Labels>

const NAME = "[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
const LABEL_KEY = new RegExp(`^${NAME}$`)
const LABEL_VALUE = new RegExp(`^(?:${NAME})?$`)

/** A name, perhaps with a domain before it: `node-type`, `kubernetes.io/arch`. */
export const isLabelKey = (key: string): boolean => {
  const slash = key.indexOf("/")
  const domain = slash < 0 ? undefined : key.slice(0, slash)
  return LABEL_KEY.test(key.slice(slash + 1)) && (domain === undefined || name.parse(domain) !== undefined)
}

export const isLabelValue = (value: string): boolean => LABEL_VALUE.test(value)

/** No label at all is an entry too: that job may run anywhere. */
export const parseLabels = (
  labels: unknown,
  { emptyValues }: { readonly emptyValues: boolean }
): ParsedEntry<Labels> => {
  if (!Predicate.isObject(labels)) return { at: "", problem: "expected an object of node labels" }
  const trimmed: Record<string, string> = {}
  for (const [key, value] of Object.entries(labels)) {
    const at = `.${key}`
    if (!isLabelKey(key.trim())) return { at, problem: "is not a valid label name" }
    if (typeof value !== "string" || (value.trim() === "" && !emptyValues))
      return { at, problem: "expected a label value" }
    if (!isLabelValue(value.trim())) return { at, problem: "is not a valid label value" }
    trimmed[key.trim()] = value.trim()
  }
  return { value: trimmed }
}

/** Undefined where the text is no JSON object at all. */
export const parseMapping = (text: string): ByJob<Labels> | undefined =>
  parseByJob("OLAKE_JOB_MAPPING", text, (labels) => parseLabels(labels, { emptyValues: false }))
