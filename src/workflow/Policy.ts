/** How workflows call activities. Only numbers: may change freely, a replay does not check them. */
import type { ActivityOptions } from "@temporalio/workflow"

/**
 * No deadline of its own: the activity counts its operation's time (TIMEOUT_ACTIVITY_*), and the Pod has
 * activeDeadlineSeconds. What Temporal must notice is a worker that is gone, and heartbeats tell that.
 */
const unbounded = "3650 days"

const retry = { initialInterval: "1s", backoffCoefficient: 2, maximumInterval: "30s" } as const

/** Discover and test: somebody waits for the answer. */
export const short: ActivityOptions = {
  startToCloseTimeout: unbounded,
  heartbeatTimeout: "60s",
  retry,
  // A cancel is over when the Pod is gone. Said because the SDK's own default is TRY_CANCEL, unlike its documentation.
  cancellationType: "WAIT_CANCELLATION_COMPLETED"
}

/**
 * A sync's wait. At 30 s an outage of 16 s is enough to lose the heartbeat; 120 s rides out a minute. A cancel waits for
 * the activity to have heard of it, with a heartbeat: else it might create the Pod after that was looked for.
 */
export const sync: ActivityOptions = {
  startToCloseTimeout: unbounded,
  heartbeatTimeout: "120s",
  retry,
  cancellationType: "WAIT_CANCELLATION_COMPLETED"
}

/** Saving what a sync has reached: tried until it works. */
export const persist: ActivityOptions = {
  startToCloseTimeout: unbounded,
  heartbeatTimeout: "60s",
  retry: { ...retry, maximumInterval: "60s" }
}

/** Syncs wait in slots of their own, with the saving of their states, so that they cannot starve discover and test. */
export const syncQueue = (taskQueue: string): string => `${taskQueue}-syncs`
