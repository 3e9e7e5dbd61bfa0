/** What this worker knows of a run; how that changes, RunChanges.ts says. Pure. */
import { type Progress, shareOf } from "../olake/ConnectorStats.ts"
import type { LogLine } from "../olake/ConnectorOutput.ts"
import type { Operation } from "../olake/Job.ts"

/** What a run that is active does: the worker's own steps, and the stages of its Pod. */
export const phases = [
  /** for a turn in this worker */
  "waiting",
  "preparing",
  "queued",
  "pulling",
  "starting",
  "running",
  "finishing",
  "stopping",
  "node-lost",
  /** the state, once the Pod is gone */
  "saving"
] as const
export type Phase = (typeof phases)[number]

/** `left`: for another worker. `retrying`: another attempt follows, here or there. `ended`: how, another worker knows. */
export const states = ["active", "retrying", "left", "succeeded", "failed", "cancelled", "ended"] as const
export type State = (typeof states)[number]

export interface Failure {
  /** Type of the Temporal failure. */
  readonly type: string
  readonly cause: string
  /** What to do; stands in `cause` where it is not known apart. */
  readonly remedy?: string
}

/** How one step of a run ended. */
export interface Ending {
  readonly state: Exclude<State, "active">
  readonly failure?: Failure
}

/** One attempt of an activity. */
export interface Step {
  readonly workflowId: string
  readonly runId: string
  readonly operation: Operation
  /** Zero where the request belongs to no job. */
  readonly jobId: number
  /** Empty where the request does not say. */
  readonly connector: string
  /** The run's, below the shared storage's root; none where its name would not do. */
  readonly directory: string | undefined
  /** Ends a writer that another step has waited for. */
  readonly saves: boolean
  /** How the step before it ended, as far as this one was told. */
  readonly before: Ending["state"] | undefined
  /** Type of the failure before it, as far as this step was told. */
  readonly beforeType?: string
  readonly attempt: number
  /** When Temporal first asked for it, in milliseconds since the epoch, as all times here. */
  readonly askedAt: number
}

export interface Run {
  readonly workflowId: string
  readonly runId: string
  readonly operation: Operation
  readonly jobId: number
  readonly connector: string
  readonly directory: string | undefined
  readonly state: State
  readonly phase: Phase
  readonly phaseSince: number
  /** What the Pod waits for, in the cluster's words. */
  readonly detail: string
  readonly askedAt: number
  readonly endedAt: number | undefined
  readonly attempt: number
  /** How the wait for the Pod ended; stays while its state is saved. */
  readonly worked: Ending | undefined
  readonly failure: Failure | undefined
  readonly pod: string | undefined
  readonly node: string | undefined
  /** When its connector began, by the node's clock. */
  readonly startedAt: number | undefined
  /** When it ended, by the same clock. */
  readonly finishedAt: number | undefined
  readonly progress: (Progress & { readonly writtenAt: number }) | undefined
  readonly lastLines: ReadonlyArray<LogLine>
  /** Whether its directory was read after its end. */
  readonly isRead: boolean
}

/** What is seen of a run's Pod. */
export interface Sighting {
  readonly phase: Phase
  readonly detail: string
  readonly pod: string
  readonly connector: string
  readonly node: string | undefined
  readonly startedAt: number | undefined
  readonly finishedAt: number | undefined
}

/** What was found in the run's directory. */
export interface Sample {
  readonly progress: Run["progress"]
  readonly lastLines: ReadonlyArray<LogLine> | undefined
  /** Read after the end: there is no more to come. */
  readonly isLast: boolean
}

/** Whether its directory may hold something worth reading: its connector has begun, and not all was read after its end. */
export const isReadable = (run: Run): run is Run & { readonly directory: string } =>
  run.directory !== undefined && run.startedAt !== undefined && !run.isRead

/** Temporal keeps these in mind until the next; larger ones than this fail the activity. */
export const LARGEST_HEARTBEAT = 512

/** What Temporal's own UI shows of a pending activity: a hint for people, read by no program. */
export const heartbeatOf = (run: Run): Readonly<Record<string, string | number>> => {
  const { progress } = run
  const share = progress === undefined ? undefined : shareOf(progress)
  // The least telling last: those go first where all do not fit.
  const fields: ReadonlyArray<readonly [string, string | number | undefined]> = [
    ["phase", run.phase],
    ["since", new Date(run.phaseSince).toISOString()],
    ["rows", progress?.rows],
    ["rowsPerSecond", progress?.rowsPerSecond],
    ["remainingSeconds", progress?.remainingSeconds],
    ["percent", share === undefined ? undefined : Math.round(share * 100)],
    ["pod", run.pod],
    ["node", run.node]
  ]
  const known = fields.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]))
  const fits = (count: number) =>
    Buffer.byteLength(JSON.stringify(Object.fromEntries(known.slice(0, count)))) <= LARGEST_HEARTBEAT
  let count = known.length
  while (!fits(count)) count -= 1
  return Object.fromEntries(known.slice(0, count))
}
