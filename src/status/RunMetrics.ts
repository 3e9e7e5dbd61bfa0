/** What becomes of the runs here, as numbers for Prometheus and as spans of their traces; told by the registry. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { isWriter } from "../olake/Job.ts"
import { ROOT, runSpan, told } from "../Tracing.ts"
import type { Phase, Run } from "./Run.ts"

const runs = Metric.counter("runs_total", {
  description:
    "Runs that have ended, by operation and outcome: Completed, Cancelled, or the class of the failure",
  incremental: true
})

const attempts = Metric.counter("attempt_failures_total", {
  description: "Attempts that failed and are made again, by operation and class of the failure",
  incremental: true
})

const MINUTE = 60
const DAY = 24 * 60 * MINUTE

const phaseSeconds = Metric.histogram("run_phase_seconds", {
  description: "Seconds that a run was in a phase, by operation and phase",
  boundaries: Metric.boundariesFromIterable([
    0.1,
    0.5,
    1,
    2,
    5,
    10,
    30,
    MINUTE,
    5 * MINUTE,
    30 * MINUTE,
    2 * 60 * MINUTE,
    8 * 60 * MINUTE,
    DAY,
    7 * DAY,
    30 * DAY
  ])
})

const active = Metric.gauge("runs_active", {
  description: "Runs that this worker is at work on, by operation and phase"
})

const UNKNOWN = "Unknown"

/** How the run ended for good; nothing where something of it follows, here or elsewhere. */
const outcomeOf = ({ state, phase, operation, failure }: Run): string | undefined => {
  // A writer's end is told by what saves its state, but for a request that was refused before.
  const isOver = !isWriter(operation) || phase === "saving" || failure?.type === "InvalidRequest"
  if (!isOver) return undefined
  if (state === "succeeded") return "Completed"
  if (state === "cancelled") return "Cancelled"
  if (state === "failed") return failure?.type ?? UNKNOWN
  return state === "ended" ? UNKNOWN : undefined
}

const attributesOf = ({ operation, jobId, pod, node }: Run) => ({
  "olake.operation": operation,
  "olake.job_id": jobId,
  ...(pod === undefined ? {} : { "k8s.pod.name": pod }),
  ...(node === undefined ? {} : { "k8s.node.name": node })
})

/** The trace's first span: from when the run was asked for to when its first attempt began. */
const tellRoot = ({ workflowId, runId, operation, jobId, connector, askedAt }: Run, now: number) =>
  told(
    `${operation} run`,
    { from: askedAt, to: now },
    {
      [ROOT]: "true",
      "temporal.workflow_id": workflowId,
      "temporal.run_id": runId,
      "olake.operation": operation,
      "olake.job_id": jobId,
      "olake.connector": connector
    },
    runSpan({ workflowId, runId })
  )

/**
 * When its connector ran, where it was over before it was seen to run: a kubelet looks once a second.
 * Nothing where it was seen, or has not begun.
 */
const unseen = (before: Run, { phase, startedAt, finishedAt }: Run, now: number) =>
  (phase === "finishing" || phase === "stopping") &&
  before.phase !== "running" &&
  startedAt !== undefined &&
  startedAt !== before.startedAt
    ? { from: startedAt, to: finishedAt ?? now }
    : undefined

/** Of one run that changes; `before` is nothing where it is new here. */
export const changed = (before: Run | undefined, after: Run, now: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { operation } = after
    const all: Array<Effect.Effect<void>> = []
    const isNowElsewhere = before?.state !== after.state || before.phase !== after.phase
    const count = (run: Run, by: 1 | -1) =>
      Metric.modify(Metric.withAttributes(active, { operation: run.operation, phase: run.phase }), by)

    // A first attempt of a run that is known already is that of another Pod.
    if (before === undefined && after.attempt === 1 && after.phase !== "saving")
      all.push(tellRoot(after, now))
    if (isNowElsewhere && before?.state === "active") {
      all.push(count(before, -1))
      // The connector's own beginning, where another worker has seen it.
      const since = before.phase === "running" ? (before.startedAt ?? before.phaseSince) : before.phaseSince
      const running = unseen(before, after, now)
      const time = (run: Run, phase: Phase, from: number, to: number) => {
        const end = Math.max(from, to) // clocks of nodes differ from this one
        all.push(told(phase, { from, to: end }, attributesOf(run)))
        // One that is left for another worker goes on in its phase.
        if (after.state === "left") return
        const attributes = { operation, phase }
        all.push(Metric.update(Metric.withAttributes(phaseSeconds, attributes), (end - from) / 1_000))
      }
      time(before, before.phase, since, running?.from ?? now)
      if (running !== undefined) time(after, "running", running.from, running.to)
    }
    if (isNowElsewhere && after.state === "active") all.push(count(after, 1))
    if (after.endedAt !== undefined && before?.endedAt === undefined) {
      const outcome = outcomeOf(after)
      if (outcome !== undefined)
        all.push(Metric.update(Metric.withAttributes(runs, { operation, outcome }), 1))
      else if (after.state === "retrying") {
        const failure = after.failure?.type ?? UNKNOWN
        all.push(Metric.update(Metric.withAttributes(attempts, { operation, failure }), 1))
      }
    }
    return Effect.all(all, { discard: true })
  })
