/** What an attempt that ended without a value answers to Temporal. Pure. */
import type { Context as ActivityContext } from "@temporalio/activity"
import { ApplicationFailure, ApplicationFailureCategory } from "@temporalio/common"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ActivityError } from "./Activity.ts"

/** This worker stops before the activity had its turn. */
export class WorkerStopping extends Schema.TaggedError<WorkerStopping>()("WorkerStopping", {}) {
  readonly isRetryable = true
}

/** Before another attempt: after a bug, and where this worker stops. */
const AFTER_DEFECT = "60s"
const AFTER_DETACHING = "1s"
/** Temporal keeps 4 KiB of a failure that is retried. */
const LONGEST_MESSAGE = 1500

const shorten = (text: string): string =>
  text.length <= LONGEST_MESSAGE ? text : `${text.slice(0, LONGEST_MESSAGE)}…`

/** Histories are read by users: our stack says nothing to them. */
const failure = (options: Parameters<typeof ApplicationFailure.create>[0]): ApplicationFailure =>
  Object.assign(ApplicationFailure.create(options), { stack: "" })

const toFailure = (error: ActivityError): ApplicationFailure =>
  failure({
    type: error.failureType ?? error._tag,
    message: shorten(error.message),
    nonRetryable: !error.isRetryable,
    ...(error.retryDelay === undefined ? {} : { nextRetryDelay: Duration.toMillis(error.retryDelay) })
  })

/** A bug of ours. Worth another try, in case it was the moment's; the log has the stack. */
const defectFailure = (cause: Cause.Cause<unknown>): ApplicationFailure => {
  const text = String(Cause.squash(cause))
  return failure({
    type: "Defect",
    message: shorten(`Internal error: ${text}`),
    nextRetryDelay: AFTER_DEFECT
  })
}

const detached = (): ApplicationFailure =>
  failure({
    type: "WorkerShutdown",
    message: "This worker is stopping; the Pod runs on and another attempt takes it over.",
    nextRetryDelay: AFTER_DETACHING,
    category: ApplicationFailureCategory.BENIGN
  })

/** The answer to Temporal where the program ended without a value. */
export const failureOf = (
  context: ActivityContext,
  drain: AbortSignal,
  cause: Cause.Cause<ActivityError>
): unknown => {
  const { cancellationSignal, cancellationDetails } = context
  // A cancelled activity must say so, whatever else went wrong meanwhile: else the run ends Failed, not Canceled.
  if (cancellationDetails?.cancelRequested === true) return cancellationSignal.reason
  const error = Cause.findErrorOption(cause)
  if (Option.isSome(error)) {
    return error.value instanceof WorkerStopping ? detached() : toFailure(error.value)
  }
  if (Cause.hasInterruptsOnly(cause)) {
    if (drain.aborted || cancellationDetails?.workerShutdown === true) return detached()
    if (cancellationSignal.aborted) return cancellationSignal.reason
  }
  return defectFailure(cause)
}
