/**
 * From what the API says of a Pod to what it means: one verdict for every combination. Pure; the caller keeps time.
 * Row numbers are those of docs/verdicts.md. Evidence counts in this order: disruption that began before the
 * connector ended, then how the connector ended (not the phase, which lies and comes later), then what it waits for.
 */
import * as Duration from "effect/Duration"
import { type FailureClass, PodFailure } from "./PodFailure.ts"
import * as Reasons from "./PodReasons.ts"
import { type ContainerView, MAIN_CONTAINER, type PodView } from "./PodView.ts"

export type Stage = "queued" | "pulling" | "starting" | "running" | "finishing" | "stopping" | "node-lost"

/** If the same row holds for `after` milliseconds, the failure applies. */
export interface Patience {
  readonly after: number
  readonly failure: PodFailure
}

export type Verdict =
  | {
      readonly _tag: "Pending"
      readonly row: number
      readonly stage: Stage
      readonly message: string
      readonly giveUp?: Patience
    }
  | { readonly _tag: "Succeeded"; readonly row: number; readonly oomSuspected: boolean }
  | { readonly _tag: "Failed"; readonly row: number; readonly failure: PodFailure }

const minutes = (count: number): number => Duration.toMillis(Duration.minutes(count))
const seconds = (count: number): number => count * 1000

/** How long each kind of waiting may last, in milliseconds. */
export const defaultTimers = {
  start: minutes(10),
  unschedulableShort: minutes(5),
  unschedulableLong: minutes(60),
  imagePassing: minutes(15),
  imageFinal: seconds(60),
  imageUnknownShort: seconds(60),
  imageUnknownLong: minutes(5),
  imageImpossible: seconds(10),
  badConfig: seconds(60),
  createPassing: minutes(5),
  killed: seconds(10),
  nodeLost: minutes(30),
  disrupted: minutes(30)
}
export type Timers = typeof defaultTimers

export interface PodStatusOptions {
  /** Somebody waits for a short one; a long one has time. */
  readonly kind: "short" | "long"
  /** We asked it to go. */
  readonly stopRequested: boolean
  readonly timers: Timers
}

/** A Pod that is proved gone; `last` is how it was last seen. */
export interface Gone {
  readonly gone: true
  readonly last: PodView
}

/** Two clocks, the API server's and the node's, and times of whole seconds. */
const CLOCK_SKEW = seconds(5)

const failure = (view: PodView, kind: FailureClass, container?: ContainerView, clusterMessage?: string): PodFailure => {
  const message = clusterMessage ?? container?.message ?? view.message ?? view.disruption?.message
  const reason = container?.reason ?? view.reason ?? view.disruption?.reason
  return new PodFailure({
    class: kind,
    pod: view.name,
    ...(container === undefined ? {} : { container: container.name }),
    ...(container?.exitCode === undefined ? {} : { exitCode: container.exitCode }),
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined || message.trim() === "" ? {} : { clusterMessage: message }),
    ...(view.node === undefined ? {} : { node: view.node }),
    ...(view.memoryLimit === undefined ? {} : { memoryLimit: view.memoryLimit }),
    ...(view.image === undefined ? {} : { image: view.image })
  })
}

const failed = (row: number, problem: PodFailure): Verdict => ({ _tag: "Failed", row, failure: problem })
const pending = (row: number, stage: Stage, message: string, giveUp?: Patience): Verdict => ({
  _tag: "Pending",
  row,
  stage,
  message,
  ...(giveUp === undefined ? {} : { giveUp })
})

/** Why the cluster takes the Pod away, if it does, and since when. */
const disruptionOf = (view: PodView, stopRequested: boolean): { readonly reason: string; readonly at: number } | undefined => {
  if (view.disruption !== undefined) return { reason: view.disruption.reason, at: view.disruption.at ?? 0 }
  if (view.reason !== undefined && (Reasons.NODE_SHUTDOWN.has(view.reason) || ["Evicted", "NodeLost", "Preempting"].includes(view.reason))) {
    return { reason: view.reason, at: 0 }
  }
  return view.deletedAt !== undefined && !stopRequested ? { reason: "Deleted", at: view.deletedAt } : undefined
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

const hasEnded = (container: ContainerView | undefined): container is Ended => container?.state === "terminated"

const fromExit = (view: PodView, main: ContainerView, { timers }: PodStatusOptions): Verdict => {
  const { exitCode = 0, reason } = main
  const killedAsOom = reason === "OOMKilled"
  if (exitCode === 0) return { _tag: "Succeeded", row: killedAsOom ? 11 : 9, oomSuspected: killedAsOom }
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

const pulling = (view: PodView, container: ContainerView, { timers, kind }: PodStatusOptions): Verdict => {
  const message = container.message ?? ""
  const problem = failure(view, "ImageUnpullable", container)
  const say = `waiting for the image: ${container.reason}`
  if (Reasons.isPassingPullProblem(message)) return pending(4, "pulling", say, { after: timers.imagePassing, failure: problem })
  if (Reasons.isFinalPullProblem(message)) return pending(5, "pulling", say, { after: timers.imageFinal, failure: problem })
  const after = kind === "short" ? timers.imageUnknownShort : timers.imageUnknownLong
  return pending(5, "pulling", say, { after, failure: problem })
}

const fromWaiting = (view: PodView, container: ContainerView, options: PodStatusOptions): Verdict | undefined => {
  const { timers } = options
  const { reason = "", message = "" } = container
  if (Reasons.PULLING.has(reason)) return pulling(view, container, options)
  if (Reasons.IMAGE_IMPOSSIBLE.has(reason)) {
    return pending(6, "pulling", reason, { after: timers.imageImpossible, failure: failure(view, "ImageUnpullable", container) })
  }
  if (reason === "CreateContainerConfigError") {
    return pending(7, "starting", message, { after: timers.badConfig, failure: failure(view, "BadConfig", container) })
  }
  if (reason === "CreateContainerError" || reason === "RunContainerError") {
    const after = Reasons.isPassingCreateProblem(message) ? timers.createPassing : timers.badConfig
    return pending(8, "starting", message, { after, failure: failure(view, "BadConfig", container) })
  }
  // A node that was restarted: how the container ended stands in its last state only.
  if (container.exitCode !== undefined) {
    return pending(17, "finishing", "its node was restarted", {
      after: timers.killed,
      failure: failure(view, "Interrupted", container)
    })
  }
  return undefined
}

const fromFailedPhase = (view: PodView, main: ContainerView | undefined): Verdict | undefined => {
  const { reason = "", message = "" } = view
  if (reason === "DeadlineExceeded") return failed(25, failure(view, "Deadline", undefined))
  if (reason === "Evicted" && Reasons.isOwnStorageLimit(message)) return failed(19, failure(view, "StorageLimit", undefined))
  if (Reasons.isAdmissionReason(reason)) {
    const began = main?.startedAt !== undefined
    return began ? failed(28, failure(view, "Interrupted", undefined)) : failed(27, failure(view, "AdmissionRejected", undefined))
  }
  return undefined
}

const fromDisruption = (view: PodView, reason: string, main: ContainerView | undefined, { timers }: PodStatusOptions): Verdict => {
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

const fromScheduling = (view: PodView, { timers, kind }: PodStatusOptions): Verdict => {
  const { scheduled } = view
  if (scheduled?.status === "False" && scheduled.reason === "SchedulingGated") return pending(3, "queued", "held back by a scheduling gate")
  if (scheduled?.status === "False") {
    return pending(2, "queued", scheduled.message ?? "no node takes it yet", {
      after: kind === "short" ? timers.unschedulableShort : timers.unschedulableLong,
      failure: failure(view, "Unschedulable", undefined, scheduled.message)
    })
  }
  return pending(1, "starting", "starting", { after: timers.start, failure: failure(view, "StartTimeout") })
}

const ofGone = (last: PodView, options: PodStatusOptions): Verdict => {
  if (options.stopRequested) return failed(31, failure(last, "Stopped"))
  const verdict = ofLive(last, options)
  // What it had come to before stays; anything unfinished was cut off.
  if (verdict._tag === "Succeeded" || verdict._tag === "Failed") return verdict
  const disruption = disruptionOf(last, false)
  const [row, kind] = disruption === undefined ? ([26, "DeletedExternally"] as const) : disruptedAs(last, disruption.reason)
  return failed(row, failure(last, kind))
}

const ofLive = (view: PodView, options: PodStatusOptions): Verdict => {
  const main = view.containers.find(({ name }) => name === MAIN_CONTAINER)
  const phaseVerdict = view.phase === "Failed" ? fromFailedPhase(view, main) : undefined
  if (phaseVerdict !== undefined) return phaseVerdict
  const disruption = disruptionOf(view, options.stopRequested)
  const endedBefore =
    hasEnded(main) && disruption !== undefined && main.finishedAt !== undefined && main.finishedAt + CLOCK_SKEW < disruption.at
  if (disruption !== undefined && !endedBefore) {
    const oomFirst = hasEnded(main) && main.reason === "OOMKilled" && main.exitCode === 137
    return oomFirst ? failed(14, failure(view, "OOM", main)) : fromDisruption(view, disruption.reason, main, options)
  }
  if (hasEnded(main)) return fromExit(view, main, options)
  if (options.stopRequested && view.deletionTimestamp !== undefined) {
    return pending(31, "stopping", "is stopping", { after: options.timers.disrupted, failure: failure(view, "Stopped") })
  }
  const badInit = view.containers.find((container) => container.kind === "init" && hasEnded(container) && (container.exitCode ?? 0) !== 0)
  if (badInit !== undefined) return failed(30, failure(view, "BadConfig", badInit))
  if (view.phase === "Failed") return failed(10, failure(view, "Interrupted", main))
  if (view.phase === "Succeeded") return { _tag: "Succeeded", row: 9, oomSuspected: false }
  if (main?.state === "running") return pending(0, "running", "running")
  const waiting = view.containers.find((container) => container.state === "waiting" && fromWaiting(view, container, options) !== undefined)
  if (waiting !== undefined) return fromWaiting(view, waiting, options) ?? fromScheduling(view, options)
  if (view.phase === "Unknown") return pending(29, "running", "its node does not report")
  return fromScheduling(view, options)
}

export const decide = (pod: PodView | Gone, options: PodStatusOptions): Verdict =>
  "gone" in pod ? ofGone(pod.last, options) : ofLive(pod, options)
