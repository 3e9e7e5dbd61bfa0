/** Where a job's Pod should run: profiles first, then node labels by mapping; syncs apart from each other. Pure. */
import type { V1Affinity, V1NodeAffinity, V1PodSpec, V1Toleration } from "@kubernetes/client-node"
import type { JobMapping } from "../../config/JobMapping.ts"
import type { JobProfiles } from "../../config/JobProfiles.ts"
import { isWriter, type Job } from "../../olake/Job.ts"

export interface Rules {
  readonly mapping: JobMapping
  readonly profiles: JobProfiles
  /** Whether writers without an entry stay away from the nodes that the mapping names. */
  readonly keepUnmappedAway: boolean
}

/** The entry of all jobs that have none of their own. */
const DEFAULT = 0

/** A preference only: with fewer nodes than syncs, they still run. */
const apartFromOtherSyncs = {
  podAntiAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: {
          topologyKey: "kubernetes.io/hostname",
          labelSelector: { matchLabels: { "olake.io/operation-type": "sync" } }
        }
      }
    ]
  }
} satisfies V1Affinity

/** One order of keys, so that the same rules give the same Pod however they were written. */
const byKey = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]) =>
  one < other ? -1 : 1

/** Nodes with a label that the mapping gives to some job are for such jobs. */
const awayFrom = (mapping: JobMapping): V1NodeAffinity | undefined => {
  const values = new Map<string, Set<string>>()
  for (const labels of mapping.values()) {
    for (const [key, value] of Object.entries(labels)) {
      values.set(key, (values.get(key) ?? new Set()).add(value))
    }
  }
  if (values.size === 0) return undefined
  const matchExpressions = [...values]
    .toSorted(byKey)
    .map(([key, taken]) => ({ key, operator: "NotIn", values: [...taken].toSorted() }))
  return { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } }
}

type Placement = Pick<V1PodSpec, "affinity" | "nodeSelector"> & { readonly tolerations: Array<V1Toleration> }

/**
 * In the order of the Go worker (olake-helm, worker/executor/kubernetes/helper.go). A profile is whole: what it leaves
 * out is not taken from the default one.
 */
export const placementOf = (
  { operation, jobId }: Pick<Job, "jobId" | "operation">,
  { mapping, profiles, keepUnmappedAway }: Rules
): Placement => {
  const isLong = isWriter(operation)
  const ownProfile = jobId === DEFAULT ? undefined : profiles.get(jobId)
  const profile = (isLong ? ownProfile : undefined) ?? profiles.get(DEFAULT)
  const mapped = (isLong && jobId !== DEFAULT ? mapping.get(jobId) : undefined) ?? mapping.get(DEFAULT)
  const labels = Object.entries((profile === undefined ? mapped : profile.nodeSelector) ?? {}).toSorted(byKey)
  return {
    ...(labels.length === 0 ? {} : { nodeSelector: Object.fromEntries(labels) }),
    tolerations: (profile?.tolerations ?? []).map((toleration) => ({ ...toleration })),
    ...affinityOf()
  }

  function affinityOf(): Pick<V1PodSpec, "affinity"> {
    const withAffinity = ownProfile ?? profiles.get(DEFAULT)
    if (withAffinity?.affinity) return { affinity: { ...withAffinity.affinity } }
    if (!isLong) return {}
    const nodeAffinity =
      withAffinity === undefined && mapped === undefined && keepUnmappedAway ? awayFrom(mapping) : undefined
    return { affinity: { ...apartFromOtherSyncs, ...(nodeAffinity === undefined ? {} : { nodeAffinity }) } }
  }
}
