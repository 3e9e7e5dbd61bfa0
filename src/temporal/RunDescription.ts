/** What Temporal's description of a run says of it and of its pending activities. Pure. */
import type { WorkflowExecutionDescription } from "@temporalio/client"
import { optionalTsToMs } from "@temporalio/common/lib/time.js"

type Described = Pick<WorkflowExecutionDescription, "closeTime" | "raw" | "status">

/** temporal.api.enums.v1.PendingActivityState */
const SCHEDULED = 1
const CANCEL_REQUESTED = 3

/** An attempt of an activity that a worker has taken. Times in milliseconds since the epoch; zero for never. */
export interface Attempt {
  readonly activityId: string
  readonly type: string
  /** Whether the activity may not be tried again. */
  readonly isLast: boolean
  /** The worker's, as it names itself. */
  readonly identity: string
  readonly startedAt: number
  readonly heardAt: number
}

/** `unknown` where Temporal has no such run: long over, or another Temporal's. */
export type RunState =
  | { readonly state: "open" | "unknown" }
  /** In milliseconds since the epoch. */
  | { readonly state: "closed"; readonly closedAt: number }

const isOpen = ({ status: { name } }: Described): boolean => name === "RUNNING" || name === "PAUSED"

/** @param run undefined where Temporal has no such run */
export const stateOf = (run: Described | undefined): RunState => {
  if (run === undefined) return { state: "unknown" }
  return isOpen(run) ? { state: "open" } : { state: "closed", closedAt: run.closeTime?.getTime() ?? 0 }
}

const millisOf = (time: Parameters<typeof optionalTsToMs>[0]): number => optionalTsToMs(time) ?? 0

const pendingOf = (run: Described | undefined) => run?.raw.pendingActivities ?? []

/** Attempts that some worker has taken. */
export const attemptsOf = (run: Described | undefined): ReadonlyArray<Attempt> =>
  pendingOf(run)
    .filter(({ state }) => Number(state) !== SCHEDULED)
    .map((activity) => ({
      activityId: activity.activityId ?? "",
      type: activity.activityType?.name ?? "",
      isLast:
        (activity.maximumAttempts ?? 0) > 0 && (activity.attempt ?? 1) >= (activity.maximumAttempts ?? 0),
      identity: activity.lastWorkerIdentity ?? "",
      startedAt: millisOf(activity.lastStartedTime),
      heardAt: millisOf(activity.lastHeartbeatTime)
    }))

/** One attempt of an activity. */
export interface AttemptIdentity {
  readonly workflowId: string
  readonly runId: string
  readonly activityId: string
  /** One for the first. */
  readonly attempt: number
}

/**
 * What Temporal thinks of an attempt: it waits for its answer; it has asked it to end; another attempt has taken its
 * place; its run is over, or not known here.
 */
export type Standing = "current" | "cancelled" | "superseded" | "over"

export const standingOf = (
  run: Described | undefined,
  { activityId, attempt }: Pick<AttemptIdentity, "activityId" | "attempt">
): Standing => {
  if (run === undefined || !isOpen(run)) return "over"
  const pending = pendingOf(run).find((one) => one.activityId === activityId)
  // Scheduled: this attempt was given back already, and nobody else has taken the next one yet.
  if (pending?.attempt !== attempt || Number(pending.state) === SCHEDULED) return "superseded"
  return Number(pending.state) === CANCEL_REQUESTED ? "cancelled" : "current"
}
