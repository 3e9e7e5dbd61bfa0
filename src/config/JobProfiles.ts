/** OLAKE_JOB_PROFILES: job id to where its Pods may run; job 0 stands for all that have no entry. Pure. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { type ByJob, type ParsedEntry, parseByJob } from "./ByJob.ts"
import { isLabelKey, isLabelValue, type Labels, parseLabels } from "./JobMapping.ts"

const LabelKey = Schema.String.check(
  Schema.makeFilter((key) => isLabelKey(key) || "is not a valid label name")
)
const LabelValue = Schema.String.check(
  Schema.makeFilter((value) => isLabelValue(value) || "is not a valid label value")
)

const Toleration = Schema.Struct({
  key: Schema.optionalKey(LabelKey),
  operator: Schema.optionalKey(Schema.Literals(["Exists", "Equal"])),
  value: Schema.optionalKey(LabelValue),
  effect: Schema.optionalKey(Schema.Literals(["NoSchedule", "PreferNoSchedule", "NoExecute"])),
  tolerationSeconds: Schema.optionalKey(Schema.Int)
}).check(
  Schema.makeFilter(({ key, operator, value = "", effect, tolerationSeconds }) => {
    if (operator === "Exists" && value !== "") return "operator Exists takes no value"
    if (key === undefined && operator !== "Exists") return "without a key, operator must be Exists"
    return (
      tolerationSeconds === undefined || effect === "NoExecute" || "tolerationSeconds needs effect NoExecute"
    )
  })
)

const Rules = Schema.Record(Schema.String, Schema.Unknown)

/** What is inside, the API server judges. */
const Affinity = Schema.Struct({
  nodeAffinity: Schema.optionalKey(Rules),
  podAffinity: Schema.optionalKey(Rules),
  podAntiAffinity: Schema.optionalKey(Rules)
})

const Profile = Schema.Struct({
  /** Labels, read as the mapping's are. */
  nodeSelector: Schema.optionalKey(Schema.Unknown),
  tolerations: Schema.optionalKey(Schema.NullOr(Schema.Array(Toleration))),
  affinity: Schema.optionalKey(Schema.NullOr(Affinity))
})

export interface JobProfile extends Omit<typeof Profile.Type, "nodeSelector"> {
  readonly nodeSelector?: Labels
}

export type JobProfiles = ReadonlyMap<number, JobProfile>

const decode = Schema.decodeUnknownResult(Profile, { onExcessProperty: "error" })
const format = SchemaIssue.makeFormatterStandardSchemaV1()

const parseProfile = (value: unknown): ParsedEntry<JobProfile> => {
  const result = decode(value)
  if (Result.isSuccess(result)) return withLabels(result.success)
  const [issue] = format(result.failure.issue).issues
  const keys = (issue?.path ?? []).map((part) => (typeof part === "object" ? part.key : part))
  const at = keys.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("")
  return { at, problem: issue?.message ?? "is not valid" }
}

const withLabels = ({ nodeSelector, ...profile }: typeof Profile.Type): ParsedEntry<JobProfile> => {
  if (nodeSelector === undefined || nodeSelector === null) return { value: profile }
  // `node-role.kubernetes.io/worker: ""` is how many clusters mark their nodes.
  const labels = parseLabels(nodeSelector, { emptyValues: true })
  return "value" in labels
    ? { value: { ...profile, nodeSelector: labels.value } }
    : { at: `.nodeSelector${labels.at}`, problem: labels.problem }
}

/** Undefined where the text is no JSON object at all. */
export const parseProfiles = (text: string): ByJob<JobProfile> | undefined =>
  parseByJob("OLAKE_JOB_PROFILES", text, parseProfile)
