/** How workflows call activities. These options may change freely, for a replay does not check them; `infra` may not. */
import type { ActivityOptions } from "@temporalio/workflow"

/**
 * No deadline of its own: the activity counts its operation's time, and the Pod has activeDeadlineSeconds. What
 * Temporal must notice is a worker that is gone, and heartbeats tell that.
 */
const unbounded = "3650 days"

const retry = { initialInterval: "1s", backoffCoefficient: 2, maximumInterval: "30s" } as const

/** Discover, test and the like: somebody waits for the answer. */
export const short: ActivityOptions = {
  startToCloseTimeout: unbounded,
  heartbeatTimeout: "60s",
  retry,
  // A cancel is over when the Pod is gone. Said because the SDK's own default is TRY_CANCEL, unlike its documentation.
  cancellationType: "WAIT_CANCELLATION_COMPLETED"
}

/**
 * A writer's wait. At 30 s an outage of 16 s is enough to lose the heartbeat; 120 s rides out a minute. A cancel waits
 * for the activity to have heard of it, with a heartbeat: else it might create the Pod after that was looked for.
 */
export const writer: ActivityOptions = {
  startToCloseTimeout: unbounded,
  heartbeatTimeout: "120s",
  retry,
  cancellationType: "WAIT_CANCELLATION_COMPLETED"
}

/** Asking a cancelled writer's Pod to stop; what it cannot do, the saving of the state does later. */
export const stop: ActivityOptions = {
  startToCloseTimeout: "60s",
  scheduleToCloseTimeout: "5m",
  retry,
  cancellationType: "TRY_CANCEL"
}

/** Saving what a writer has reached: tried until it works. */
export const persist: ActivityOptions = {
  startToCloseTimeout: unbounded,
  heartbeatTimeout: "60s",
  retry: { ...retry, maximumInterval: "60s" }
}

/**
 * New Pods for a run whose Pod the cluster took away; apart from Temporal's own attempts. Decides on commands: a change
 * needs a `patched` of its own, since a sync may be open for a month.
 */
export const infra = { budget: 5, firstPause: 10_000, longestPause: 300_000 }

/** Before the nth of them, in milliseconds: 10 s doubling to 5 min. */
export const pauseBefore = (nth: number): number =>
  Math.min(infra.firstPause * 2 ** (nth - 1), infra.longestPause)

/** An alert: nothing waits for it longer than this, and its failure is nobody's. */
export const alert: ActivityOptions = {
  // A webhook that asks for patience gets it: three times 30 s.
  startToCloseTimeout: "150s",
  scheduleToCloseTimeout: "5m",
  retry: { ...retry, maximumAttempts: 3 }
}

/** A Pod that shows an error: the UI asks again, should it not come. As the Go worker has it. */
export const indicator: ActivityOptions = {
  startToCloseTimeout: "30s",
  retry: { initialInterval: "2s", backoffCoefficient: 2, maximumInterval: "10s", maximumAttempts: 2 },
  cancellationType: "WAIT_CANCELLATION_COMPLETED"
}
