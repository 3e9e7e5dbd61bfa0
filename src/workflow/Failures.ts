/** What a workflow reads in an activity's failure. */
import { ActivityFailure, ApplicationFailure, TemporalFailure } from "@temporalio/workflow"
import { failures as ofPod, isFailureClass } from "../olake/Failures.ts"
import { infra } from "./Policy.ts"

const applicationCause = (error: unknown): ApplicationFailure | undefined =>
  error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause : undefined

export const typeOf = (error: unknown): string => applicationCause(error)?.type ?? ""

/** The innermost message: ours have one only, the Go worker's wrap each other. */
export const textOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error instanceof TemporalFailure && error.cause !== undefined ? textOf(error.cause) : error.message
}

/** One failure that says both; its type is the first one's. */
export const combined = (failure: unknown, besides: string): ApplicationFailure =>
  ApplicationFailure.create({
    type: applicationCause(failure)?.type ?? "SyncFailed",
    message: `${textOf(failure)} ${besides}`,
    nonRetryable: true
  })

/** Whether the run may have a new Pod: by what became of those before. */
export const mayHaveNewPod = (failures: ReadonlyArray<string>): boolean => {
  const last = failures.at(-1) ?? ""
  const retry = isFailureClass(last) ? ofPod[last].retry : "no"
  if (failures.length > infra.budget || retry === "no") return false
  return retry === "infra" || failures.filter((failure) => failure === last).length === 1
}

/** Whether the run surely has a directory: one that is missing then is the storage's trouble. */
export const began = (failure: unknown, cancelled: boolean): boolean =>
  failure === undefined || (!cancelled && isFailureClass(typeOf(failure)))
