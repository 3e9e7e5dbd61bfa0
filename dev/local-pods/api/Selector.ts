/** Label and field selectors: `a=b,c!=d,e,!f,g in (h,i)`. Pure. */
import { badRequest, type KubeObject } from "./Objects.ts"

export type Selector = (object: KubeObject) => boolean
type Labels = Readonly<Record<string, string>>

const requirement = (text: string): ((labels: Labels) => boolean) => {
  const set = /^\s*(\S+)\s+(in|notin)\s+\(([^)]*)\)\s*$/.exec(text)
  if (set !== null) {
    const [, key = "", operator, list = ""] = set
    const values = list.split(",").map((value) => value.trim())
    return (labels) => {
      const value = labels[key]
      return (value !== undefined && values.includes(value)) === (operator === "in")
    }
  }
  const equation = /^\s*([^\s=!]+)\s*(==|=|!=)\s*([^\s=!]*)\s*$/.exec(text)
  if (equation !== null) {
    const [, key = "", operator, value] = equation
    return (labels) => (labels[key] === value) === (operator !== "!=")
  }
  const existence = /^\s*(!?)\s*([^\s=!]+)\s*$/.exec(text)
  if (existence === null) throw badRequest(`unable to parse requirement: ${text}`)
  const [, not, key = ""] = existence
  return (labels) => Object.hasOwn(labels, key) === (not === "")
}

const all = (text: string | null) =>
  (text ?? "")
    .split(/,(?![^()]*\))/)
    .filter((part) => part.trim() !== "")
    .map(requirement)

const fields = (object: KubeObject): Labels => {
  const status = object["status"]
  const phase =
    typeof status === "object" && status !== null && "phase" in status
      ? { "status.phase": String(status.phase) }
      : {}
  return { "metadata.name": object.metadata.name, "metadata.namespace": object.metadata.namespace, ...phase }
}

export const parse = (labelSelector: string | null, fieldSelector: string | null): Selector => {
  const onLabels = all(labelSelector)
  const onFields = all(fieldSelector)
  return (object) =>
    onLabels.every((test) => test(object.metadata.labels ?? {})) &&
    onFields.every((test) => test(fields(object)))
}
