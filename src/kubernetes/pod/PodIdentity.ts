/**
 * Whose a Pod is, and what a found one means for a job. Pods of the Go worker count as well: they have the name of
 * their workflow and no key. Pure.
 */
import { isLongRunning, type JobIdentity } from "../../olake/Job.ts"
import { JOB_ID_LABEL, KEY_LABEL, keyOf, nameOf, OPERATION_LABEL, WORKFLOW_ID_ANNOTATION } from "./PodSpec.ts"
import type { PodView } from "./PodView.ts"

export type Adoption =
  /** Made for this very run: take it over, in whatever state. */
  | "ours"
  /** Made for this very run and being deleted: wait until it is gone, then make a new one. */
  | "oursEnding"
  /** Another run's: it must be gone before a new one is made. */
  | "otherRun"
  /** Somebody else's object that happens to have our name: never touched. */
  | "notManaged"

const isManaged = ({ labels }: PodView): boolean => labels["app.kubernetes.io/managed-by"] === "olake-workers"

/** Whether the Go worker made it. */
export const isGos = (view: PodView): boolean => isManaged(view) && view.labels[KEY_LABEL] === undefined

/** Whether it was made for this very run. */
export const isPodOf = (view: PodView, job: JobIdentity): boolean =>
  view.labels[KEY_LABEL] === keyOf(job.run, job.operation) ||
  (isGos(view) &&
    view.labels[OPERATION_LABEL] === job.operation &&
    view.annotations[WORKFLOW_ID_ANNOTATION] === job.run.workflowId)

/** Whether no Pod of this job may be made beside it: it has the name, or is a writer of the job that has another. */
export const isInTheWayOf = (view: PodView, job: JobIdentity): boolean =>
  view.name === nameOf(job) ||
  isPodOf(view, job) ||
  (isLongRunning(job.operation) &&
    isGos(view) &&
    isLongRunning(view.labels[OPERATION_LABEL] ?? "") &&
    view.labels[JOB_ID_LABEL] === String(job.jobId))

export const adoptionOf = (found: PodView, job: JobIdentity): Adoption => {
  if (!isManaged(found)) return "notManaged"
  if (!isPodOf(found, job)) return "otherRun"
  return found.deletionTimestamp === undefined ? "ours" : "oursEnding"
}

/** The name that the Go worker gives the Pod of a workflow (olake-helm, worker/executor/kubernetes/helper.go). */
export const goNameOf = (workflowId: string): string =>
  workflowId
    .toLowerCase()
    .replace(/[_.:]/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63)
    .replace(/-$/, "")
