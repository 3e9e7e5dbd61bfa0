/** What a Pod whose connector has not started waits for, and how long that may take. Pure. */
import * as Reasons from "./Reasons.ts"
import { failure, pending, type PodStatusOptions, type Verdict } from "./Verdict.ts"
import type { ContainerView, PodView } from "../pod/PodView.ts"

const pulling = (view: PodView, container: ContainerView, { timers, kind }: PodStatusOptions): Verdict => {
  const message = container.message ?? ""
  const problem = failure(view, "ImageUnpullable", container)
  const say = `waiting for the image: ${container.reason}`
  if (Reasons.isPassingPullProblem(message))
    return pending(4, "pulling", say, { after: timers.imagePassing, failure: problem })
  if (Reasons.isFinalPullProblem(message))
    return pending(5, "pulling", say, { after: timers.imageFinal, failure: problem })
  const after = kind === "short" ? timers.imageUnknownShort : timers.imageUnknownLong
  return pending(5, "pulling", say, { after, failure: problem })
}

/** Undefined where the container waits for nothing in particular. */
export const fromWaiting = (
  view: PodView,
  container: ContainerView,
  options: PodStatusOptions
): Verdict | undefined => {
  const { timers } = options
  const { reason = "", message = "" } = container
  if (Reasons.PULLING.has(reason)) return pulling(view, container, options)
  if (Reasons.IMAGE_IMPOSSIBLE.has(reason)) {
    return pending(6, "pulling", reason, {
      after: timers.imageImpossible,
      failure: failure(view, "ImageUnpullable", container)
    })
  }
  if (reason === "CreateContainerConfigError") {
    return pending(7, "starting", message, {
      after: timers.badConfig,
      failure: failure(view, "BadConfig", container)
    })
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

export const fromScheduling = (view: PodView, { timers, kind }: PodStatusOptions): Verdict => {
  const { scheduled } = view
  if (scheduled?.status === "False" && scheduled.reason === "SchedulingGated")
    return pending(3, "queued", "held back by a scheduling gate")
  if (scheduled?.status === "False") {
    return pending(2, "queued", scheduled.message ?? "no node takes it yet", {
      after: kind === "short" ? timers.unschedulableShort : timers.unschedulableLong,
      failure: failure(view, "Unschedulable", undefined, scheduled.message)
    })
  }
  return pending(1, "starting", "starting", { after: timers.start, failure: failure(view, "StartTimeout") })
}
