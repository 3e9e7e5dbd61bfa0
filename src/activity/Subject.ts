/** What an activity's request says of the run it belongs to, before it is decoded. Pure. */
import * as Predicate from "effect/Predicate"
import { isLongRunning, type Operation } from "../olake/Job.ts"
import { ofShortRun, ofSync, problemWithDirectoryName } from "../olake/Workdir.ts"
import type { Step } from "../status/Run.ts"

/** `works` waits for a Pod of the operation; `saves` ends it. */
export interface Role {
  readonly does: "works" | "saves"
  /** Where the request does not say. */
  readonly operation: Operation
}

const OPERATIONS: ReadonlyArray<string> = [
  "discover",
  "check",
  "spec",
  "sync",
  "clear-destination"
] satisfies ReadonlyArray<Operation>

const isOperation = (command: unknown): command is Operation =>
  Predicate.isString(command) && OPERATIONS.includes(command)

/** How the Pod's step ended, as the workflow says it. */
const BEFORE: Readonly<Record<string, Step["before"]>> = {
  completed: "succeeded",
  failed: "failed",
  cancelled: "cancelled",
  // Another Pod follows.
  interrupted: "retrying"
}

/** Types of failures are labels of metrics: words of ours. */
const CLASS = /^[A-Z][A-Za-z]{1,40}$/

const field = (wire: unknown, ...names: ReadonlyArray<string>): unknown => {
  const name = names.find((candidate) => Predicate.hasProperty(wire, candidate))
  return name !== undefined && Predicate.hasProperty(wire, name) ? wire[name] : undefined
}

const directoryOf = (operation: Operation, workflowId: string): string | undefined => {
  if (isLongRunning(operation)) return ofSync(workflowId)
  return problemWithDirectoryName(workflowId) === undefined ? ofShortRun(workflowId) : undefined
}

/** Either contract's requests. */
export const subjectOf = (
  { does, operation: usual }: Role,
  wire: unknown,
  workflowId: string
): Pick<Step, "before" | "beforeType" | "connector" | "directory" | "jobId" | "operation" | "saves"> => {
  const command = field(wire, "command")
  const jobId = field(wire, "job_id", "JobID")
  const connector = field(wire, "connector_type", "SourceType")
  const outcome = field(wire, "outcome")
  const failure = field(wire, "failure_type")
  const operation = isOperation(command) ? command : usual
  return {
    operation,
    jobId: Predicate.isNumber(jobId) && Number.isSafeInteger(jobId) && jobId > 0 ? jobId : 0,
    connector: Predicate.isString(connector) ? connector : "",
    directory: directoryOf(operation, workflowId),
    saves: does === "saves",
    before: Predicate.isString(outcome) && Object.hasOwn(BEFORE, outcome) ? BEFORE[outcome] : undefined,
    ...(Predicate.isString(failure) && CLASS.test(failure) ? { beforeType: failure } : {})
  }
}
