/** How what is known of a run changes with what the worker hears. Every text is bounded. Pure. */
import { oneLine } from "../Text.ts"
import type { Ending, Failure, Phase, Run, Sample, Sighting, Step } from "./Run.ts"

/** Longest texts, in characters. */
const ID = 200
const DETAIL = 500
const CAUSE = 1_500

const shown = (text: string): string => oneLine(text, ID)

const inPhase = (run: Run, phase: Phase, now: number): Run =>
  run.phase === phase && run.state === "active" ? run : { ...run, phase, phaseSince: now }

/** Another worker has waited for the Pod. */
const elsewhere = (type: string | undefined): Failure | undefined =>
  type === undefined ? undefined : { type: shown(type), cause: "The run's failure in Temporal says more." }

/** How the wait for the Pod ended, where it did. */
const before = (known: Run | undefined, step: Step): Ending | undefined => {
  if (!step.saves) return undefined
  const failure = known?.worked?.failure ?? elsewhere(step.beforeType)
  if (step.before === undefined) return known?.worked
  return failure === undefined ? { state: step.before } : { state: step.before, failure }
}

export const begun = (known: Run | undefined, step: Step, phase: Phase, now: number): Run => {
  const worked = before(known, step)
  return {
    workflowId: step.workflowId,
    runId: step.runId,
    operation: step.operation,
    jobId: step.jobId,
    connector: shown(step.connector) || (known?.connector ?? ""),
    directory: step.directory,
    state: "active",
    phase,
    phaseSince: now,
    detail: "",
    askedAt: known?.askedAt ?? step.askedAt,
    endedAt: undefined,
    attempt: step.attempt,
    worked,
    failure: worked?.failure,
    pod: known?.pod,
    node: known?.node,
    startedAt: known?.startedAt,
    finishedAt: known?.finishedAt,
    progress: known?.progress,
    lastLines: known?.lastLines ?? [],
    isRead: false
  }
}

/** It waits for its turn no longer. */
export const hasTurn = (run: Run, now: number): Run =>
  run.phase === "waiting" ? inPhase(run, "preparing", now) : run

export const sighted = (run: Run, seen: Sighting, now: number): Run => {
  const next = inPhase(run, seen.phase, now)
  // What another connector of the run, in the Pod before, has said and counted is not this one's.
  const isOther = run.startedAt !== undefined && run.startedAt !== seen.startedAt
  return {
    ...next,
    detail: oneLine(seen.detail, DETAIL),
    connector: run.connector || shown(seen.connector),
    pod: shown(seen.pod),
    node: seen.node === undefined ? undefined : shown(seen.node),
    startedAt: seen.startedAt,
    finishedAt: seen.finishedAt,
    ...(isOther ? { progress: undefined, lastLines: [] } : {})
  }
}

const bounded = ({ type, cause, remedy }: Failure): Failure => ({
  type: shown(type),
  cause: oneLine(cause, CAUSE),
  ...(remedy === undefined ? {} : { remedy: oneLine(remedy, DETAIL) })
})

/** @param isFinished whether the connector turned out to have ended well by itself, cancel or not */
export const ended = (run: Run, ending: Ending, isFinished: boolean, now: number): Run => {
  const failure = ending.failure === undefined ? undefined : bounded(ending.failure)
  const own: Ending = failure === undefined ? { state: ending.state } : { state: ending.state, failure }
  const over = { ...run, detail: "", endedAt: now }
  if (run.phase !== "saving") return { ...over, state: own.state, worked: own, failure }
  // A state that is saved says nothing of how the run went.
  if (own.state !== "succeeded") return { ...over, state: own.state, failure: failure ?? run.failure }
  const worked: Ending = isFinished ? { state: "succeeded" } : (run.worked ?? { state: "ended" })
  return { ...over, state: worked.state, worked, failure: worked.failure }
}

/** The clocks of node and storage may differ by this, in milliseconds. */
const SKEW = 5_000

/** A file of before this connector began is not its own. */
export const sampled = (run: Run, { progress, lastLines = [], isLast }: Sample): Run => {
  const isOwn = progress !== undefined && progress.writtenAt + SKEW >= (run.startedAt ?? 0)
  return {
    ...run,
    progress: isOwn ? progress : run.progress,
    lastLines: lastLines.length === 0 ? run.lastLines : lastLines,
    isRead: isLast && run.endedAt !== undefined
  }
}
