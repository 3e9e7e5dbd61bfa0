/** The claim's next step, from what was found. Pure; docs/claim.md has the same rules as a table. */
import { isAbandoned, type Ownership } from "../../kubernetes/pod/Ownership.ts"
import { keyOf, ownerOf } from "../../kubernetes/pod/PodIdentity.ts"
import { hasEnded, type PodView } from "../../kubernetes/pod/PodView.ts"
import { NameConflict } from "../../kubernetes/PodRunnerErrors.ts"
import { decide } from "../../kubernetes/verdict/decide.ts"
import { defaultTimers } from "../../kubernetes/verdict/Verdict.ts"
import { type ExitMarker, hasEndedByItself } from "../../olake/ExitMarker.ts"
import type { JobIdentity } from "../../olake/Job.ts"
import { JobBusy } from "./ClaimErrors.ts"

/** A Pod beside which none of the job may be made. */
export interface Other {
  readonly pod: PodView
  readonly ownership: Ownership
}

export interface Facts {
  readonly writer: JobIdentity
  /** Kubernetes namespace of the jobs. */
  readonly namespace: string
  /** The run's own Pod. */
  readonly own: PodView | undefined
  readonly others: ReadonlyArray<Other>
  /** How the newest connector in the run's directory ended. */
  readonly marker: ExitMarker | undefined
  /** Uids of Pods that this claim has removed: they are over, and only their names are waited for. */
  readonly removed: ReadonlySet<string>
  /** Milliseconds since the epoch. */
  readonly now: number
}

export type Step =
  /** The run has its Pod: its end is the run's answer. */
  | { readonly do: "wait"; readonly pod: PodView }
  /** The run has its answer already, whatever became of its Pod. */
  | { readonly do: "done"; readonly marker: ExitMarker }
  /** A Pod that is over keeps the name. */
  | { readonly do: "awaitGone"; readonly pod: PodView }
  /**
   * Nobody else ends that Pod any more: it is removed.
   * @param isOver whether its run is known to be over, so that what it left is ours to save
   */
  | { readonly do: "release"; readonly pod: PodView; readonly isOver: boolean }
  | { readonly do: "refuse"; readonly error: JobBusy | NameConflict }
  | { readonly do: "create" }

const busy = (pod: PodView, { writer, namespace }: Facts, isForeign: boolean): Step => {
  const { workflowId = "", temporalNamespace = "", temporalNamespaceId = "" } = ownerOf(pod)
  return {
    do: "refuse",
    error: new JobBusy({
      pod: pod.name,
      namespace,
      jobId: writer.jobId,
      workflowId,
      temporalNamespace,
      temporalNamespaceId,
      isForeign
    })
  }
}

const besideOther = ({ pod, ownership }: Other, facts: Facts): Step => {
  if (facts.removed.has(pod.uid)) return { do: "awaitGone", pod }
  switch (ownership) {
    case "notManaged":
      return { do: "refuse", error: new NameConflict({ pod: pod.name }) }
    case "over":
      return { do: "release", pod, isOver: true }
    case "open":
      return busy(pod, facts, false)
    case "foreign":
      return isAbandoned(pod, facts.now) ? { do: "release", pod, isOver: false } : busy(pod, facts, true)
  }
}

/** Whether the end of that Pod is the run's answer, however often it is tried. */
const isAnswer = (pod: PodView): boolean => {
  const verdict = decide(pod, { kind: "long", stopRequested: false, timers: defaultTimers })
  return verdict._tag === "Succeeded" || (verdict._tag === "Failed" && verdict.failure.retry === "no")
}

export const nextStep = (facts: Facts): Step => {
  const { writer, own, others, marker } = facts
  const isBeingDeleted = own?.deletionTimestamp !== undefined
  // A Pod that is being deleted and has ended was counted by the step of the workflow that ended it.
  if (own !== undefined && !(isBeingDeleted && hasEnded(own))) return { do: "wait", pod: own }
  if (marker?.key === keyOf(writer.run, writer.operation) && hasEndedByItself(marker))
    return { do: "done", marker }
  if (own !== undefined) return { do: isAnswer(own) ? "wait" : "awaitGone", pod: own }
  const [other] = others
  return other === undefined ? { do: "create" } : besideOther(other, facts)
}
