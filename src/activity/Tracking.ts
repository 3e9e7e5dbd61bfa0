/** Keeps the registry of runs informed while an activity is at work: where it is, what its Pod does, how it ends. */
import { ApplicationFailure } from "@temporalio/common"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { WorkerConfig } from "../Config.ts"
import { PodObserver, type PodSighting } from "../kubernetes/PodEnd.ts"
import { ownerOf } from "../kubernetes/pod/PodIdentity.ts"
import { MAIN_CONTAINER, type PodView } from "../kubernetes/pod/PodView.ts"
import type { Ending, Sighting, Step } from "../status/Run.ts"
import { type RunEntry, RunRegistry } from "../status/RunRegistry.ts"
import { titleOf } from "../status/Words.ts"
import type { ActivityRun } from "./Activity.ts"
import type { Subject } from "../olake/contract/Request.ts"
import type { Operation } from "../olake/Job.ts"
import { outcomes } from "../olake/Outcome.ts"
import * as Workdir from "../olake/Workdir.ts"

/** `works` waits for a Pod of the operation; `saves` ends it. */
export interface Role<I> {
  readonly does: "works" | "saves"
  /** Of a request that cannot be understood. */
  readonly operation: Operation
  readonly subject: (request: I) => Subject
}

/** The directory in which what is logged of the run is kept too; undefined for none. */
export const logDirectoryOf = (subject: Subject | undefined, workflowId: string): string | undefined =>
  subject?.keepsLog === true ? Workdir.of(subject.operation, workflowId) : undefined

/** @param subject undefined where the request could not be understood */
export const begin = <I>(
  role: Role<I>,
  subject: Subject | undefined,
  { run, attempt, scheduledAt }: ActivityRun,
  hasTurn: boolean
): Effect.Effect<RunEntry, never, RunRegistry> =>
  Effect.flatMap(RunRegistry, (registry) => {
    const operation = subject?.operation ?? role.operation
    const saves = role.does === "saves"
    const step: Step = {
      workflowId: run.workflowId,
      runId: run.runId,
      attempt,
      askedAt: scheduledAt,
      operation,
      jobId: subject?.jobId ?? 0,
      connector: subject?.connector ?? "",
      directory: Workdir.of(operation, run.workflowId),
      saves,
      before: outcomes[subject?.outcome ?? "unknown"].step,
      ...(subject?.failureType === undefined ? {} : { beforeType: subject.failureType })
    }
    return registry.begin(step, saves ? "saving" : hasTurn ? "preparing" : "waiting")
  })

const mainOf = ({ containers }: PodView) => containers.find(({ name }) => name === MAIN_CONTAINER)

const sightingOf = ({ view, stage, message }: PodSighting): Sighting => ({
  phase: stage,
  // That it runs is all there is to say of one that runs.
  detail: stage === "running" ? "" : message,
  pod: view.name,
  connector: ownerOf(view).connector,
  node: view.node,
  startedAt: mainOf(view)?.startedAt,
  finishedAt: mainOf(view)?.finishedAt
})

/** Says in the run's log which worker has it now. */
export const pickedUp = <I>(
  { does, operation }: Role<I>,
  subject: Subject | undefined,
  { attempt }: ActivityRun
): Effect.Effect<void, never, WorkerConfig> =>
  does === "saves"
    ? Effect.void
    : Effect.flatMap(WorkerConfig, ({ kubernetes: { podName: worker } }) => {
        const what = titleOf(subject?.operation ?? operation, subject?.jobId || undefined)
        return Effect.logInfo(`worker ${worker} picked up the ${what}, attempt ${attempt}`, { worker })
      })

const placementOf = ({ name, node, requests = "none", limits = "none" }: PodView): string =>
  `Pod ${name} is on node ${node}, requests ${requests}, limits ${limits}`

/** What is seen of Pods in the program is noted of its run, and in its log where each has been placed. */
export const observing =
  (entry: RunEntry) =>
  <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const placed = new Set<string>()
      return Effect.provideService(program, PodObserver, (seen) => {
        const { uid, node } = seen.view
        const isNews = node !== undefined && !placed.has(uid)
        if (isNews) placed.add(uid)
        const noted = entry.sighted(sightingOf(seen))
        return isNews ? Effect.andThen(noted, Effect.logInfo(placementOf(seen.view), { node })) : noted
      })
    })

/** How an attempt ends that another one goes on from. */
const LEFT: ReadonlyArray<string> = ["WorkerShutdown", "Superseded"]
/** How an attempt ends whose Pod was asked to stop before the attempt itself heard of the cancel. */
const BY_CANCEL: ReadonlyArray<string> = ["Stopped", "Cancelled"]

/**
 * How an attempt ended, by what Temporal is told of it.
 * @param remedy the end of the failure's message, where the error knows it
 */
export const endingOf = (told: unknown, isCancelled: boolean, remedy: string | undefined): Ending => {
  if (!(told instanceof ApplicationFailure)) return { state: isCancelled ? "cancelled" : "left" }
  const type = told.type ?? "Defect"
  if (LEFT.includes(type)) return { state: "left" }
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
