/**
 * From what the API says of a Pod to what it means: one verdict for every combination. Pure; the caller keeps time.
 * Row numbers are those of docs/verdicts.md. Evidence counts in this order: disruption that began before the
 * connector ended, then how the connector ended (not the phase, which lies and comes later), then what it waits for.
 * A marker that the connector's shell has left stands above all of it.
 */
import type { ExitMarker } from "../../olake/ExitMarker.ts"
import type { FailureClass } from "../../olake/Failures.ts"
import { withMarker } from "./Marker.ts"
import * as Reasons from "./Reasons.ts"
import { defaultTimers, failed, failure, pending, type PodStatusOptions, type Verdict } from "./Verdict.ts"
import { type ContainerView, MAIN_CONTAINER, type PodView } from "../pod/PodView.ts"
import { fromScheduling, fromWaiting } from "./Waiting.ts"

/** A Pod that is proved gone; `last` is how it was last seen. */
export interface Gone {
  readonly gone: true
  readonly last: PodView
}

/** Two clocks, the API server's and the node's, and times of whole seconds. */
const CLOCK_SKEW = 5_000

/** Why the cluster takes the Pod away, if it does, and since when. */
const disruptionOf = (
  view: PodView,
  stopRequested: boolean
): { readonly reason: string; readonly at: number } | undefined => {
  if (view.disruption !== undefined) return { reason: view.disruption.reason, at: view.disruption.at ?? 0 }
  if (
    view.reason !== undefined &&
    (Reasons.NODE_SHUTDOWN.has(view.reason) || ["Evicted", "NodeLost", "Preempting"].includes(view.reason))
  ) {
    return { reason: view.reason, at: 0 }
  }
  return view.deletedAt !== undefined && !stopRequested
    ? { reason: "Deleted", at: view.deletedAt }
    : undefined
}

/** Row and class of a disruption. */
const disruptedAs = (view: PodView, reason: string): readonly [number, FailureClass] => {
  if (view.reason === "Evicted" || reason === "TerminationByKubelet") return [18, "Evicted"]
  if (reason === "PreemptionByScheduler" || reason === "Preempting") return [20, "Preempted"]
  if (reason === "EvictionByEvictionAPI") return [21, "Evicted"]
  if (Reasons.NODE_SHUTDOWN.has(reason)) return [22, "NodeShutdown"]
  if (reason === "DeletionByPodGC" || reason === "NodeLost") return [24, "NodeLost"]
  if (reason === "DeletionByTaintManager") return [23, "Interrupted"]
  return reason === "Deleted" ? [26, "DeletedExternally"] : [10, "Interrupted"]
}

type Ended = ContainerView & { readonly state: "terminated" }

const hasEnded = (container: ContainerView | undefined): container is Ended =>
  container?.state === "terminated"

const endedWellBefore = ({ finishedAt }: Ended, at: number): boolean =>
  finishedAt !== undefined && finishedAt + CLOCK_SKEW < at

/**
 * Whether the connector had ended before its Pod's time was over, as beside a container that goes on. One clock, the node's,
 * tells both; in the last second it may have been stopped, and one that is stopped ends with 0 too.
 */
const endedInTime = ({ deadlineAt }: PodView, main: ContainerView | undefined): boolean =>
  hasEnded(main) && main.finishedAt !== undefined && deadlineAt !== undefined && main.finishedAt < deadlineAt

const fromExit = (view: PodView, main: ContainerView, { timers }: PodStatusOptions): Verdict => {
  const { exitCode = 0, reason } = main
  const killedAsOom = reason === "OOMKilled"
  if (exitCode === 0) return { _tag: "Succeeded", row: killedAsOom ? 11 : 9 }
  if (killedAsOom && exitCode === 137) return failed(14, failure(view, "OOM", main))
  if (reason === "ContainerStatusUnknown") {
    return pending(17, "finishing", "its node does not know how the connector ended", {
      after: timers.killed,
      failure: failure(view, "Interrupted", main)
    })
  }
  if (Reasons.CANNOT_RUN.has(reason ?? "") || [126, 127, 128].includes(exitCode)) {
    return failed(13, failure(view, "BadConfig", main))
  }
  if (killedAsOom) return failed(15, failure(view, "ConnectorFailed", main))
  if (exitCode === 137 || exitCode === 143) {
    // The reason for it often follows: an eviction, a deletion.
    const kind = exitCode === 137 ? "Killed" : "Interrupted"
    return pending(16, "finishing", `ended by signal (exit code ${exitCode})`, {
      after: timers.killed,
      failure: failure(view, kind, main)
    })
  }
  return failed(12, failure(view, "ConnectorFailed", main))
}

const fromFailedPhase = (view: PodView, main: ContainerView | undefined): Verdict | undefined => {
  const { reason = "", message = "" } = view
  if (reason === "DeadlineExceeded")
    return endedInTime(view, main) ? undefined : failed(25, failure(view, "Deadline", undefined))
  if (reason === "Evicted" && Reasons.isOwnStorageLimit(message))
    return failed(19, failure(view, "StorageLimit", undefined))
  if (Reasons.isAdmissionReason(reason)) {
    const began = main?.startedAt !== undefined
    return began
      ? failed(28, failure(view, "Interrupted", undefined))
      : failed(27, failure(view, "AdmissionRejected", undefined))
  }
  return undefined
}

const fromDisruption = (
  view: PodView,
  reason: string,
  main: ContainerView | undefined,
  { timers }: PodStatusOptions
): Verdict => {
  const [row, kind] = disruptedAs(view, reason)
  const over = view.phase === "Failed" || view.phase === "Succeeded"
  if (over || hasEnded(main)) return failed(row, failure(view, kind, hasEnded(main) ? main : undefined))
  const problem = failure(view, row === 23 ? "NodeLost" : kind)
  // The process may still write: nothing is decided until it is provably over.
  return pending(row, row === 23 ? "node-lost" : "stopping", `is being taken away (${reason})`, {
    after: row === 23 ? timers.nodeLost : timers.disrupted,
    failure: problem
  })
}

const ofGone = (last: PodView, options: PodStatusOptions): Verdict => {
  if (options.stopRequested) return failed(31, failure(last, "Stopped"))
  const verdict = ofLive(last, options)
  // What it had come to before stays; anything unfinished was cut off.
  if (verdict._tag === "Succeeded" || verdict._tag === "Failed") return verdict
  const disruption = disruptionOf(last, false)
  const [row, kind] =
    disruption === undefined ? ([26, "DeletedExternally"] as const) : disruptedAs(last, disruption.reason)
  return failed(row, failure(last, kind))
}

const ofLive = (view: PodView, options: PodStatusOptions): Verdict => {
  const main = view.containers.find(({ name }) => name === MAIN_CONTAINER)
  const phaseVerdict = view.phase === "Failed" ? fromFailedPhase(view, main) : undefined
  if (phaseVerdict !== undefined) return phaseVerdict
  const disruption = disruptionOf(view, options.stopRequested)
  const endedBefore = hasEnded(main) && disruption !== undefined && endedWellBefore(main, disruption.at)
  if (disruption !== undefined && !endedBefore) {
    const oomFirst = hasEnded(main) && main.reason === "OOMKilled" && main.exitCode === 137
    return oomFirst
      ? failed(14, failure(view, "OOM", main))
      : fromDisruption(view, disruption.reason, main, options)
  }
  if (hasEnded(main)) {
    const { deletedAt } = view
    // It ended because we asked it to: what it exits with says nothing of its work.
    const stopped = options.stopRequested && deletedAt !== undefined && !endedWellBefore(main, deletedAt)
    return stopped ? failed(31, failure(view, "Stopped", main)) : fromExit(view, main, options)
  }
  if (options.stopRequested && view.deletionTimestamp !== undefined) {
    return pending(31, "stopping", "is stopping", {
      after: options.timers.disrupted,
      failure: failure(view, "Stopped")
    })
  }
  const badInit = view.containers.find(
    (container) => container.kind === "init" && hasEnded(container) && (container.exitCode ?? 0) !== 0
  )
  if (badInit !== undefined) return failed(30, failure(view, "BadConfig", badInit))
  if (view.phase === "Failed") return failed(10, failure(view, "Interrupted", main))
  if (view.phase === "Succeeded") return { _tag: "Succeeded", row: 9 }
  if (main?.state === "running") return pending(0, "running", "running")
  const waiting = view.containers.find(
    (container) => container.state === "waiting" && fromWaiting(view, container, options) !== undefined
  )
  if (waiting !== undefined) return fromWaiting(view, waiting, options) ?? fromScheduling(view, options)
  if (view.phase === "Unknown") return pending(29, "running", "its node does not report")
  return fromScheduling(view, options)
}

export const decide = (pod: PodView | Gone, options: PodStatusOptions): Verdict => {
  const view = "gone" in pod ? pod.last : pod
  const plain = "gone" in pod ? ofGone(view, options) : ofLive(view, options)
  return withMarker(plain, view, options, (ended) => fromExit(view, ended, options))
}

/** Whether the Pod's connector had done its work by itself when it was seen so. */
export const hasEndedWell = (view: PodView, marker?: ExitMarker): boolean =>
  decide(view, { kind: "long", stopRequested: false, marker, timers: defaultTimers })._tag === "Succeeded"
