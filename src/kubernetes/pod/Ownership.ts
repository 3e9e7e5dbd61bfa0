/**
 * What another run's Pod means for a job that wants to write, and for the sweep: one rule for the claim, the sweep and
 * the doctor. Pure.
 */
import { type PodOwner, ownerOf } from "./PodIdentity.ts"
import { hasEnded, type PodView } from "./PodView.ts"

/** `unknown` where Temporal has no such run: deleted, past its retention, or another Temporal's. */
export type RunState = "open" | "closed" | "unknown"

export type Ownership =
  /** No worker made it: never touched. */
  | "notManaged"
  /** Its run goes on: only that run ends it. */
  | "open"
  /** Its run is over in this Temporal: nobody ends it any more but we. */
  | "over"
  /** Of another Temporal, or one that cannot be told: never removed while it runs. */
  | "foreign"

/** This worker's Temporal namespace; the id is empty where Temporal does not tell it. */
export interface OwnTemporal {
  readonly namespace: string
  readonly namespaceId: string
}

/** Whether it is certain that the Pod's run belongs to this Temporal. */
const isOwn = ({ temporalNamespaceId }: PodOwner, { namespaceId }: OwnTemporal): boolean =>
  namespaceId !== "" && temporalNamespaceId === namespaceId

/** Whether the Pod's run may be asked after here at all. */
export const mayBeOwn = (owner: PodOwner, own: OwnTemporal): boolean =>
  owner.temporalNamespaceId !== undefined && own.namespaceId !== ""
    ? isOwn(owner, own)
    : (owner.temporalNamespace ?? own.namespace) === own.namespace

/** @param run what this Temporal says of the Pod's run */
export const ownershipOf = (view: PodView, run: RunState, own: OwnTemporal): Ownership => {
  const owner = ownerOf(view)
  if (!owner.isManaged) return "notManaged"
  if (!mayBeOwn(owner, own)) return "foreign"
  // Ids of runs are unique in the world: a Temporal that knows the run is the run's.
  if (run !== "unknown") return run === "open" ? "open" : "over"
  return isOwn(owner, own) ? "over" : "foreign"
}

/** How long a Pod that has ended is left to whoever may still want its result, in milliseconds. */
export const LEFT_TO_ITS_OWNER = 15 * 60_000

/** Whether a foreign Pod is nobody's any more: it ended a while ago, so that removing it stops nothing. */
export const isAbandoned = (view: PodView, now: number): boolean => {
  if (!hasEnded(view)) return false
  const ends = view.containers.flatMap(({ finishedAt }) => finishedAt ?? [])
  // One whose containers never ran ended some time after it was made.
  const since = ends.length === 0 ? (ownerOf(view).createdAt ?? now) : Math.max(...ends)
  return now - since > LEFT_TO_ITS_OWNER
}
