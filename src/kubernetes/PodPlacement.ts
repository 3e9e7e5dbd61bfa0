/** Where a job's Pod should run: OLAKE_JOB_MAPPING's node labels, and syncs apart from each other. Pure. */
import type { V1Affinity, V1PodSpec } from "@kubernetes/client-node"
import { isLongRunning, type Job } from "../olake/Job.ts"

/** Job id to node labels. */
export type JobMapping = ReadonlyMap<number, Readonly<Record<string, string>>>

const HOSTNAME = "kubernetes.io/hostname"

/** A preference only: with fewer nodes than syncs, they still run. */
const apartFromOtherSyncs: V1Affinity = {
  podAntiAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: {
          topologyKey: HOSTNAME,
          labelSelector: { matchLabels: { "olake.io/operation-type": "sync" } }
        }
      }
    ]
  }
}

export const placementOf = (job: Job, mapping: JobMapping): Pick<V1PodSpec, "nodeSelector" | "affinity"> => {
  if (!isLongRunning(job.operation)) return {}
  const nodeSelector = mapping.get(job.jobId)
  return { ...(nodeSelector === undefined ? {} : { nodeSelector }), affinity: apartFromOtherSyncs }
}
