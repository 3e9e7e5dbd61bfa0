/** What a Pod found under a job's name means for that job. Pure. */
import { KEY_LABEL } from "./PodSpec.ts"
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

export const adoptionOf = (found: PodView, key: string): Adoption => {
  if (found.labels["app.kubernetes.io/managed-by"] !== "olake-workers") return "notManaged"
  if (found.labels[KEY_LABEL] !== key) return "otherRun"
  return found.deletionTimestamp === undefined ? "ours" : "oursEnding"
}
