/**
 * `PostSyncActivity`: ends the sync's Pod and, once nothing can write any more, saves the connector's state.
 * It runs after success, failure and cancel alike, and may be repeated.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { WorkerConfig } from "../../Config.ts"
import { Jobs } from "../../database/Jobs.ts"
import type { DatabaseError } from "../../database/Query.ts"
import { PodRunner } from "../../kubernetes/PodRunner.ts"
import { keyOf } from "../../kubernetes/pod/PodSpec.ts"
import { SyncTelemetry } from "../../notification/SyncTelemetry.ts"
import type { PersistParams } from "../../olake/contract/Legacy.ts"
import { PRIVATE_FILES } from "../../olake/Connector.ts"
import { type ClearEnded, jobIdOf, type SyncEnded } from "../../olake/contract/Current.ts"
import type { RunIdentity } from "../../olake/Job.ts"
import { hasFinished } from "../../olake/ExitMarker.ts"
import { ofSync, STATE_FILE } from "../../olake/Workdir.ts"
import type { JsonFile } from "../../storage/JsonFile.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import { TemporalClient } from "../../temporal/TemporalClient.ts"
import type { ActivityRun } from "../Activity.ts"
import { LARGEST_RESULT } from "../Result.ts"
import { saveLeft } from "./LeftState.ts"
import { exitMarker, markerIfReadable, requireOwn } from "./WriterRun.ts"

/** The state cannot be saved now; worth waiting for, whatever the reason. */
export class StateUnsaved extends Schema.TaggedError<StateUnsaved>()("StateUnsaved", {
  problem: Schema.String,
  /** How long it is tried, where that is not for ever. */
  limit: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    const until = this.limit === undefined ? "until it works" : `for ${this.limit}`
    return `The sync's state is not saved yet, and stays in the run's directory. ${this.problem} It is tried again ${until}.`
  }
  readonly isRetryable = true
}

/** Nobody but the run may have these: it does not end before they are gone. */
export class ConfigsLeft extends Schema.TaggedError<ConfigsLeft>()("ConfigsLeft", {
  problem: Schema.String
}) {
  override get message(): string {
    return `The run's configs in clear text are not removed yet; what it had reached is saved. ${this.problem} It is tried again until it works.`
  }
  readonly isRetryable = true
}

/** The file that the connector left is no state; the one in the database stays. */
export class InvalidState extends Schema.TaggedError<InvalidState>()("InvalidState", {
  jobId: Schema.Int,
  problem: Schema.String
}) {
  override get message(): string {
    return `The state of job ${this.jobId} was not saved: ${this.problem}. The database keeps the last good one, and the next sync starts from it.`
  }
  readonly isRetryable = false
}

export interface Persisted {
  /** Whether the connector had ended well before it was asked to stop. */
  readonly finished: boolean
  /** False where the run left no state. */
  readonly saved: boolean
  /** What was saved, where Temporal can carry it. */
  readonly state: JsonFile["value"]
  /** Path of the file with the state, for the second contract. */
  readonly response?: string
  /** What people should know besides, where the run did not complete. */
  readonly remark?: string
}

/** Whatever keeps a state from being saved may be repaired: only a state that is none is given up. */
const untilItWorks = (error: { readonly message: string }) =>
  Effect.fail(new StateUnsaved({ problem: error.message }))

/** SQLSTATE class 22: Postgres cannot hold that text as JSON, however often it is asked. */
const refused = (jobId: number, error: DatabaseError): Effect.Effect<never, InvalidState | StateUnsaved> =>
  error.code.startsWith("22")
    ? Effect.fail(new InvalidState({ jobId, problem: error.message }))
    : untilItWorks(error)

/** For a cancelled run, which may have a directory or none: how long an empty volume is taken for one that is away. */
const MOUNT_LIMIT = "1 hour"

/** Fails where the run's directory must be there, or may be once the volume is mounted again. */
const requireMount = Effect.fnUntraced(function* (
  directory: string,
  { began, cancelled }: Ending,
  scheduledAt: number
) {
  const storage = yield* SharedStorage
  const root = (yield* WorkerConfig).storage.path
  const missing = `The run's directory ${root}/${directory} is not there; is the volume mounted?`
  if (began) return yield* new StateUnsaved({ problem: missing })
  if (!cancelled || (yield* storage.isInUse)) return
  const waited = (yield* Clock.currentTimeMillis) - scheduledAt
  if (waited < Duration.toMillis(MOUNT_LIMIT)) {
    return yield* new StateUnsaved({ problem: missing, limit: MOUNT_LIMIT })
  }
  yield* Effect.logWarning(`${missing} It was waited for for ${MOUNT_LIMIT}: no state was saved`)
})

/** The state that the connector has left; none where it wrote nothing. */
const leftState = Effect.fnUntraced(
  function* (ending: Ending, directory: string, scheduledAt: number) {
    const { jobId } = ending
    const storage = yield* SharedStorage
    if (!(yield* storage.hasDirectory(directory))) {
      yield* requireMount(directory, ending, scheduledAt)
      return Option.none<JsonFile>()
    }
    const state = yield* storage
      .readJson(directory, STATE_FILE)
      .pipe(
        Effect.catchTag("InvalidFile", (error) =>
          Effect.fail(new InvalidState({ jobId, problem: error.message }))
        )
      )
    // What the run began with stands in the database already, or something newer does.
    return (yield* storage.isConnectors(directory, STATE_FILE)) ? state : Option.none<JsonFile>()
  },
  Effect.catchTag("StorageError", untilItWorks)
)

export interface Ending {
  readonly operation: "sync" | "clear-destination"
  readonly jobId: number
  readonly began: boolean
  readonly cancelled: boolean
  /** Whether the row's job counts as active from now on, as the first contract has it. */
  readonly activates: boolean
}

type Writer = Pick<Ending, "operation" | "jobId">

/** Ends a writer's Pod; whether its connector had ended well by itself before. */
const endPod = Effect.fnUntraced(function* ({ operation, jobId }: Writer, { run }: ActivityRun) {
  const pods = yield* PodRunner
  const directory = ofSync(run.workflowId)
  const noted = yield* markerIfReadable(directory)
  const finished = yield* pods
    .stop({ operation, jobId, run }, noted)
    .pipe(Effect.catchTag("KubernetesError", untilItWorks))
  if (finished) return true
  // The Pod may have been gone, deleted by an attempt of this activity whose answer was lost.
  const marker = yield* exitMarker(directory).pipe(Effect.catchTag("StorageError", untilItWorks))
  return marker?.key === keyOf(run, operation) && hasFinished(marker)
})

const saves = Metric.counter("state_saves_total", {
  description: "States that were saved, and saves that failed, by result: saved, or the class of the failure",
  incremental: true
})
const savedAs = (result: string) => Metric.update(Metric.withAttributes(saves, { result }), 1)

/** People may write to the row between our look and our write, but not that often. */
const LOOKS = 5

/**
 * Whether the state is in the row now. A run that was terminated may still be at work here while the job's next one ends:
 * the row's version is looked at first and Temporal asked after it, so that an open run has nothing newer to overwrite.
 */
const write = Effect.fnUntraced(
  function* ({ jobId, activates }: Ending, { workflowId, runId }: RunIdentity, state: string) {
    const jobs = yield* Jobs
    const temporal = yield* TemporalClient
    for (let look = 0; look < LOOKS; look++) {
      const version = yield* jobs.versionOf(jobId)
      if (version === undefined) {
        yield* Effect.logWarning(`job ${jobId} is no longer in the database: its state was not saved`)
        return false
      }
      if ((yield* temporal.lookAt(workflowId, runId)).state !== "open") {
        const saved = yield* saveLeft(jobId, workflowId)
        if (!saved)
          yield* Effect.logWarning(
            `the run is over and somebody has written to job ${jobId} since it began: its state was not saved, and stays in ${ofSync(workflowId)}/${STATE_FILE}`
          )
        return saved
      }
      if (yield* jobs.saveState(jobId, state, { activates, version })) return true
    }
    return yield* new StateUnsaved({ problem: `Others write to the row of job ${jobId} all the time.` })
  },
  (effect, { jobId }) =>
    effect.pipe(
      Effect.catchTags({
        DatabaseError: (error) => refused(jobId, error),
        StorageError: untilItWorks,
        TemporalUnavailable: untilItWorks,
        InvalidFile: ({ message }) => Effect.fail(new InvalidState({ jobId, problem: message }))
      })
    )
)

/** Saves what a writer, whose Pod is gone, has left. */
const saveState = Effect.fnUntraced(
  function* (ending: Ending, { run, scheduledAt }: ActivityRun) {
    const state = yield* leftState(ending, ofSync(run.workflowId), scheduledAt)
    if (Option.isNone(state)) return { saved: false, state: {} }
    const saved = yield* write(ending, run, state.value.text)
    if (saved) {
      yield* Effect.logInfo("state saved")
      yield* savedAs("saved")
    }
    const fits = Buffer.byteLength(state.value.text) <= LARGEST_RESULT
    return { saved, state: fits ? state.value.value : {} }
  },
  Effect.tapError(({ _tag }) => savedAs(_tag))
)

const ofJob = Effect.fnUntraced(function* (params: PersistParams, activity: ActivityRun) {
  yield* requireOwn("WorkflowID", params.WorkflowID, activity)
  const cancelled = params.outcome === "cancelled"
  const ending = {
    operation: "sync",
    jobId: params.JobID,
    began: params.Began,
    cancelled,
    activates: true
  } as const
  const finished = yield* endPod(ending, activity)
  return { finished, ...(yield* saveState(ending, activity)) } satisfies Persisted
})

/** For the second contract: the result names the file, and configs in clear text go. */
export const endRequest = Effect.fnUntraced(function* (
  request: SyncEnded | ClearEnded,
  activity: ActivityRun
) {
  const storage = yield* SharedStorage
  const { job_id: jobId, workflow_id: workflowId, command: operation, began, outcome } = request
  yield* requireOwn("workflow_id", workflowId, activity)
  const directory = ofSync(workflowId)
  const ending = { operation, jobId, began, cancelled: outcome === "cancelled", activates: false }
  const finished = yield* endPod(ending, activity)
  // Before the state, which may be none: these must not stay. But a volume that is read-only holds up no state.
  const removal = yield* Effect.result(storage.remove(directory, PRIVATE_FILES))
  const { saved } = yield* saveState(ending, activity)
  if (Result.isFailure(removal)) return yield* new ConfigsLeft({ problem: removal.failure.message })
  return { finished, saved, state: {}, response: `${directory}/${STATE_FILE}` } satisfies Persisted
})

const ofRequest = Effect.fnUntraced(function* (request: SyncEnded, activity: ActivityRun) {
  const telemetry = yield* SyncTelemetry
  const persisted = yield* endRequest(request, activity)
  const run = { jobId: request.job_id, workflowId: request.workflow_id }
  if (request.outcome === "completed" || persisted.finished) yield* telemetry.send("completed", run)
  else if (request.outcome === "failed") yield* telemetry.send("failed", run)
  return persisted
})

export const endSync = Effect.fn("activity.endSync")(
  function* (params: PersistParams | SyncEnded, activity: ActivityRun) {
    return yield* "JobID" in params ? ofJob(params, activity) : ofRequest(params, activity)
  },
  (effect, params) => Effect.annotateLogs(effect, { operation: "sync", jobId: jobIdOf(params) })
)
