/** Keeps the registry of runs informed while an activity is at work: where it is, what its Pod does, how it ends. */
import { ApplicationFailure } from "@temporalio/common"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { PodObserver, type PodSighting } from "../kubernetes/PodEnd.ts"
import { CONNECTOR_LABEL } from "../kubernetes/pod/PodSpec.ts"
import { MAIN_CONTAINER, type PodView } from "../kubernetes/pod/PodView.ts"
import type { Ending, Sighting, Step } from "../status/Run.ts"
import { type RunEntry, RunRegistry } from "../status/RunRegistry.ts"
import type { ActivityRun } from "./Activity.ts"
import { isLongRunning, type Operation } from "../olake/Job.ts"
import { ofShortRun, ofSync, problemWithDirectoryName } from "../olake/Workdir.ts"

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

export const begin = (
  role: Role,
  wire: unknown,
  { run, attempt, scheduledAt }: ActivityRun,
  hasTurn: boolean
): Effect.Effect<RunEntry, never, RunRegistry> =>
  Effect.flatMap(RunRegistry, (registry) =>
    registry.begin(
      {
        workflowId: run.workflowId,
        runId: run.runId,
        attempt,
        askedAt: scheduledAt,
        ...subjectOf(role, wire, run.workflowId)
      },
      role.does === "saves" ? "saving" : hasTurn ? "preparing" : "waiting"
    )
  )

const mainOf = ({ containers }: PodView) => containers.find(({ name }) => name === MAIN_CONTAINER)

const sightingOf = ({ view, stage, message }: PodSighting): Sighting => ({
  phase: stage,
  // That it runs is all there is to say of one that runs.
  detail: stage === "running" ? "" : message,
  pod: view.name,
  connector: view.labels[CONNECTOR_LABEL] ?? "",
  node: view.node,
  startedAt: mainOf(view)?.startedAt,
  finishedAt: mainOf(view)?.finishedAt
})

/** What is seen of Pods in the program is noted of its run. */
export const observing =
  (entry: RunEntry) =>
  <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(program, PodObserver, (seen) => entry.sighted(sightingOf(seen)))

/** How an attempt ends whose Pod was asked to stop before the attempt itself heard of the cancel. */
const BY_CANCEL: ReadonlyArray<string> = ["Stopped", "Cancelled"]

/**
 * How an attempt ended, by what Temporal is told of it.
 * @param remedy the end of the failure's message, where the error knows it
 */
export const endingOf = (told: unknown, isCancelled: boolean, remedy: string | undefined): Ending => {
  if (!(told instanceof ApplicationFailure)) return { state: isCancelled ? "cancelled" : "left" }
  const type = told.type ?? "Defect"
  if (type === "WorkerShutdown") return { state: "left" }
  if (BY_CANCEL.includes(type)) return { state: "cancelled" }
  const { message } = told
  const isApart = remedy !== undefined && message.endsWith(remedy)
  return {
    state: told.nonRetryable === true ? "failed" : "retrying",
    failure: isApart
      ? { type, cause: message.slice(0, -remedy.length).trim(), remedy }
      : { type, cause: message }
  }
}

/** The answer of a step that saves, where the connector had ended well before it was asked to stop. */
export const isFinished = (answer: unknown): boolean =>
  Predicate.hasProperty(answer, "finished") && answer.finished === true
