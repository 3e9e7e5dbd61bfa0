/** Whether a node's labels and taints let a Pod on it, as the scheduler has it; its room is not looked at. Pure. */
import type { V1NodeSelectorRequirement, V1PodSpec, V1Taint, V1Toleration } from "@kubernetes/client-node"
import type { NodeJson } from "../../kubernetes/api/ApiInspection.ts"

type Placed = Pick<V1PodSpec, "nodeSelector" | "affinity" | "tolerations">
type Labels = Readonly<Record<string, string>>

const meets = (labels: Labels, { key, operator, values = [] }: V1NodeSelectorRequirement): boolean => {
  const value = labels[key]
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value)
    case "NotIn":
      return value === undefined || !values.includes(value)
    case "Exists":
      return value !== undefined
    case "DoesNotExist":
      return value === undefined
    case "Gt":
      return Number(value) > Number(values[0])
    case "Lt":
      return Number(value) < Number(values[0])
    default:
      return false
  }
}

const tolerates =
  ({ key, value = "", effect }: V1Taint) =>
  (toleration: V1Toleration): boolean =>
    (toleration.effect === undefined || toleration.effect === "" || toleration.effect === effect) &&
    (toleration.key === undefined || toleration.key === "" || toleration.key === key) &&
    (toleration.operator === "Exists" || (toleration.value ?? "") === value)

export const fits = (node: NodeJson, { nodeSelector = {}, affinity, tolerations = [] }: Placed): boolean => {
  const labels = node.metadata.labels ?? {}
  const fields = { "metadata.name": node.metadata.name ?? "" }
  const terms =
    affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? undefined
  const keepsOff = (node.spec?.taints ?? []).filter(({ effect }) => effect !== "PreferNoSchedule")
  return (
    Object.entries(nodeSelector).every(([key, value]) => labels[key] === value) &&
    (terms === undefined ||
      terms.some(
        ({ matchExpressions = [], matchFields = [] }) =>
          matchExpressions.length + matchFields.length > 0 &&
          matchExpressions.every((wanted) => meets(labels, wanted)) &&
          matchFields.every((wanted) => meets(fields, wanted))
      )) &&
    keepsOff.every((taint) => tolerations.some(tolerates(taint)))
  )
}
