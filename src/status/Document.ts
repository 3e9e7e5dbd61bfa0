/** The answer of `GET /jobs`. New fields may come; what is there keeps its meaning within a version. */
import * as Schema from "effect/Schema"
import { shareOf } from "../olake/ConnectorStats.ts"
import { defined } from "../Json.ts"
import { phases, type Run, states } from "./Run.ts"

const Text = Schema.String
const Time = Schema.String
const Amount = Schema.Number

const ProgressDocument = Schema.Struct({
  rows: Amount,
  rowsPerSecond: Schema.optionalKey(Amount),
  bytes: Schema.optionalKey(Amount),
  elapsedSeconds: Schema.optionalKey(Amount),
  remainingSeconds: Schema.optionalKey(Amount),
  /** From 0 to 1, by the connector's own estimate. */
  share: Schema.optionalKey(Amount),
  /** When the connector wrote this. */
  writtenAt: Time
})

export const RunDocument = Schema.Struct({
  workflowId: Text,
  runId: Text,
  operation: Text,
  /** Absent where the request belongs to no job, as with checks. */
  jobId: Schema.optionalKey(Schema.Int),
  connector: Schema.optionalKey(Text),
  state: Schema.Literals(states),
  /** Of a run that is active. */
  phase: Schema.optionalKey(Schema.Literals(phases)),
  phaseSince: Schema.optionalKey(Time),
  secondsInPhase: Schema.optionalKey(Amount),
  /** What the Pod waits for, in the cluster's words. */
  detail: Schema.optionalKey(Text),
  askedAt: Time,
  endedAt: Schema.optionalKey(Time),
  /** Temporal's count, of the step that the run is in. */
  attempt: Schema.Int,
  pod: Schema.optionalKey(Text),
  node: Schema.optionalKey(Text),
  progress: Schema.optionalKey(ProgressDocument),
  /** The last lines of the connector's log. */
  lastLines: Schema.Array(Schema.Struct({ time: Text, level: Text, message: Text })),
  failure: Schema.optionalKey(Schema.Struct({ type: Text, cause: Text, remedy: Schema.optionalKey(Text) }))
})
export type RunDocument = typeof RunDocument.Type

export const JobsDocument = Schema.Struct({
  version: Schema.Literal(1),
  /** POD_NAME of the worker that answers. */
  worker: Text,
  time: Time,
  /** Active ones first, then the last to end. */
  runs: Schema.Array(RunDocument),
  /** Runs that are known but left out, for there are too many. */
  omitted: Schema.Int
})
export type JobsDocument = typeof JobsDocument.Type

/** Most runs in one answer. */
export const MOST_RUNS = 500

const iso = (time: number): string => new Date(time).toISOString()
const whole = (value: number): number => Math.round(value * 100) / 100

const progressOf = (progress: NonNullable<Run["progress"]>): typeof ProgressDocument.Type => {
  const share = shareOf(progress)
  return {
    ...progress,
    ...(share === undefined ? {} : { share: Math.round(share * 1e4) / 1e4 }),
    writtenAt: iso(progress.writtenAt)
  }
}

const documentOf = (run: Run, now: number): RunDocument => {
  const isActive = run.state === "active"
  return defined<RunDocument>({
    workflowId: run.workflowId,
    runId: run.runId,
    operation: run.operation,
    jobId: run.jobId === 0 ? undefined : run.jobId,
    connector: run.connector || undefined,
    state: run.state,
    phase: isActive ? run.phase : undefined,
    phaseSince: isActive ? iso(run.phaseSince) : undefined,
    secondsInPhase: isActive ? whole(Math.max(0, now - run.phaseSince) / 1000) : undefined,
    detail: run.detail || undefined,
    askedAt: iso(run.askedAt),
    endedAt: run.endedAt === undefined ? undefined : iso(run.endedAt),
    attempt: run.attempt,
    pod: run.pod,
    node: run.node,
    progress: run.progress === undefined ? undefined : progressOf(run.progress),
    lastLines: run.lastLines,
    failure: run.failure
  })
}

const activeFirst = (one: Run, other: Run): number =>
  one.endedAt === undefined || other.endedAt === undefined
    ? Number(one.endedAt !== undefined) - Number(other.endedAt !== undefined) || one.askedAt - other.askedAt
    : other.endedAt - one.endedAt

export const jobsDocument = (runs: ReadonlyArray<Run>, worker: string, now: number): JobsDocument => {
  const shown = runs.toSorted(activeFirst).slice(0, MOST_RUNS)
  return {
    version: 1,
    worker,
    time: iso(now),
    runs: shown.map((run) => documentOf(run, now)),
    omitted: runs.length - shown.length
  }
}
