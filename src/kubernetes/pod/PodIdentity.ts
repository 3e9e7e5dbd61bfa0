/**
 * Whose a Pod is: its name, labels and annotations, encoded and decoded here alone. Pods of the Go worker count as well:
 * they have the name of their workflow and no key. Pure.
 */
import type { V1ObjectMeta } from "@kubernetes/client-node"
import { defined } from "../../Json.ts"
import { isWriter, type Job, type JobIdentity, type Operation, type RunIdentity } from "../../olake/Job.ts"
import { sha256 } from "../../olake/Workdir.ts"
import type { PodView } from "./PodView.ts"

const MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
/** The Go worker's word as well, so that one selector finds the Pods of both. */
const MANAGER = "olake-workers"
/** Selects the Pods of this worker and of the Go worker before it. */
export const SELECTOR = `${MANAGED_BY_LABEL}=${MANAGER}`

/** Of the Pods that show errors of GitOps; see IndicatorPod.ts. */
export const INDICATOR_LABEL = "olake.io/indicator"

const KEY_LABEL = "olake.io/key"
const JOB_ID_LABEL = "olake.io/job-id"
const CONNECTOR_LABEL = "olake.io/connector"
export const OPERATION_LABEL = "olake.io/operation-type"

const WORKFLOW_ID_ANNOTATION = "olake.io/workflow-id"
const RUN_ID_ANNOTATION = "olake.io/run-id"
const NAMESPACE_ANNOTATION = "olake.io/temporal-namespace"
const NAMESPACE_ID_ANNOTATION = "olake.io/temporal-namespace-id"
const SECRET_ANNOTATION = "olake.io/secret-name"
const CREATED_AT_ANNOTATION = "olake.io/created-at"

const hash = (length: number, ...parts: ReadonlyArray<string | number>): string =>
  sha256(JSON.stringify(parts)).slice(0, length)

/** Which run a Pod belongs to, whole and short enough for a label. */
export const keyOf = (run: RunIdentity, operation: Operation): string =>
  hash(16, run.temporalNamespace, run.taskQueue, run.workflowId, run.runId, operation)

/**
 * A writer's name is its job's on that volume claim, so that the API server itself refuses a second writer beside a live
 * one, whatever Temporal namespace or task queue asks for it. All others are named after their run. Hashes are of whole
 * ids: no two are cut into the same name.
 */
export const nameOf = (job: JobIdentity, claim: string): string =>
  isWriter(job.operation)
    ? `olake-job-${job.jobId}-${hash(10, claim, job.jobId)}`
    : `olake-${job.operation}-${keyOf(job.run, job.operation)}`

/** A writer's name in workers before 0.2: one for each Temporal namespace and task queue. */
export const oldNameOf = ({ jobId, run }: JobIdentity): string =>
  `olake-job-${jobId}-${hash(10, run.temporalNamespace, run.taskQueue, jobId)}`

/** The nearest valid label value; for people to search by, the annotation has the id itself. */
export const labelValue = (text: string): string =>
  text
    .replace(/[^A-Za-z0-9_.-]/g, "-")
    .slice(0, 63)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "")

export const labelsOf = (job: Job): Record<string, string> => ({
  "app.kubernetes.io/name": "olake",
  "app.kubernetes.io/component": `${job.connector}-${job.operation}`,
  [MANAGED_BY_LABEL]: MANAGER,
  [OPERATION_LABEL]: job.operation,
  [CONNECTOR_LABEL]: job.connector,
  [JOB_ID_LABEL]: String(job.jobId),
  "olake.io/workflow-id": labelValue(job.run.workflowId),
  [KEY_LABEL]: keyOf(job.run, job.operation)
})

/**
 * @param workerPod the worker's own Pod, for the record
 * @param secretName the Pod's own Secret, where it has one
 * @param now RFC 3339
 */
export const annotationsOf = (
  job: Job,
  workerPod: string,
  secretName: string | undefined,
  now: string
): Record<string, string> => ({
  "olake.io/created-by-pod": `olake.io/olake-workers/${workerPod}`,
  [CREATED_AT_ANNOTATION]: now,
  [WORKFLOW_ID_ANNOTATION]: job.run.workflowId,
  [RUN_ID_ANNOTATION]: job.run.runId,
  [NAMESPACE_ANNOTATION]: job.run.temporalNamespace,
  ...(job.temporalNamespaceId === "" ? {} : { [NAMESPACE_ID_ANNOTATION]: job.temporalNamespaceId }),
  "olake.io/operation-type": job.operation,
  "olake.io/connector-type": job.connector,
  "olake.io/job-id": String(job.jobId),
  ...(secretName === undefined ? {} : { [SECRET_ANNOTATION]: secretName })
})

/** What a Pod says of whose it is. A field is absent where the Pod does not say. */
export interface PodOwner {
  /** Whether a worker made it, this one or the Go worker. */
  readonly isManaged: boolean
  /** Whether the Go worker made it. */
  readonly isGos: boolean
  readonly operation: string
  /** Whether it may write for its job. */
  readonly isWriter: boolean
  /** Zero where it belongs to no job. */
  readonly jobId: number
  readonly connector: string
  readonly workflowId?: string
  readonly runId?: string
  readonly temporalNamespace?: string
  /** The Temporal namespace's own id, which no other Temporal has. */
  readonly temporalNamespaceId?: string
  /** Milliseconds since the epoch. */
  readonly createdAt?: number
  readonly secretName?: string
}

export const ownerOf = ({ labels, annotations }: Pick<PodView, "annotations" | "labels">): PodOwner => {
  // No run waits for an indicator, whatever other labels somebody gives it.
  const isManaged = labels[MANAGED_BY_LABEL] === MANAGER && labels[INDICATOR_LABEL] !== "true"
  const operation = labels[OPERATION_LABEL] ?? ""
  const createdAt = Date.parse(annotations[CREATED_AT_ANNOTATION] ?? "")
  return defined<PodOwner>({
    isManaged,
    isGos: isManaged && labels[KEY_LABEL] === undefined,
    operation,
    isWriter: isWriter(operation),
    jobId: Number(labels[JOB_ID_LABEL]) || 0,
    connector: labels[CONNECTOR_LABEL] ?? "",
    workflowId: annotations[WORKFLOW_ID_ANNOTATION],
    runId: annotations[RUN_ID_ANNOTATION],
    temporalNamespace: annotations[NAMESPACE_ANNOTATION],
    temporalNamespaceId: annotations[NAMESPACE_ID_ANNOTATION],
    createdAt: Number.isNaN(createdAt) ? undefined : createdAt,
    secretName: annotations[SECRET_ANNOTATION]
  })
}

/** Whether the Go worker made it. */
export const isGos = (view: PodView): boolean => ownerOf(view).isGos

/** Whether it was made for this very run. */
export const isPodOf = (view: PodView, job: JobIdentity): boolean => {
  const owner = ownerOf(view)
  return (
    view.labels[KEY_LABEL] === keyOf(job.run, job.operation) ||
    (owner.isGos && owner.operation === job.operation && owner.workflowId === job.run.workflowId)
  )
}

/**
 * Whether no Pod of this job may be made beside it: it has the name, or it is a writer of the job on the same volume
 * claim, whoever made it.
 */
export const isInTheWayOf = (view: PodView, job: JobIdentity, claim: string): boolean => {
  if (view.name === nameOf(job, claim) || isPodOf(view, job)) return true
  const owner = ownerOf(view)
  return (
    isWriter(job.operation) &&
    owner.isManaged &&
    owner.isWriter &&
    owner.jobId === job.jobId &&
    view.claims.includes(claim)
  )
}

/** The name that the Go worker gives the Pod of a workflow (olake-helm, worker/executor/kubernetes/helper.go). */
export const goNameOf = (workflowId: string): string =>
  workflowId
    .toLowerCase()
    .replace(/[_.:]/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63)
    .replace(/-$/, "")

/** The metadata of a Secret that belongs to one Pod and goes with it. */
export const secretMetadata = (
  job: Job,
  name: string,
  owner: { readonly name: string; readonly uid: string },
  namespace: string
): V1ObjectMeta => ({
  name,
  namespace,
  labels: labelsOf(job),
  ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: owner.name, uid: owner.uid }]
})
