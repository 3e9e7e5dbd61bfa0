/**
 * `PostSyncActivity`: ends the sync's Pod and, once nothing can write any more, saves the connector's state.
 * It runs after success, failure and cancel alike, and may be repeated.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Schema from "effect/Schema"
import { WorkerConfig } from "../../Config.ts"
import { Jobs } from "../../database/Jobs.ts"
import { keyOf } from "../../kubernetes/pod/PodIdentity.ts"
import { PodRunner } from "../../kubernetes/PodRunner.ts"
import { hasEndedWell } from "../../kubernetes/verdict/decide.ts"
import type { EndRequest } from "../../olake/contract/Request.ts"
import { hasFinished } from "../../olake/ExitMarker.ts"
import { ofWriter, STATE_FILE } from "../../olake/Workdir.ts"
import { InvalidFile, type JsonFile } from "../../storage/JsonFile.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import type { ActivityRun } from "../Activity.ts"
import { LARGEST_RESULT } from "../Result.ts"
import { tellEnd } from "../telemetry/TellEnd.ts"
import { isNoJson, isOwn, saveOwn } from "./LeftState.ts"
import { removeCredentialsIfPossible } from "../Credentials.ts"
import { exitMarker, readLeft } from "./RunDirectory.ts"
import { annotated, requireOwn } from "./WriterRun.ts"

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

/** What a writer's end has come to, as the workflow hears it. */
export interface Persisted {
  /** Whether the connector had ended well before it was asked to stop. */
  readonly finished: boolean
  /** False where the run left no state. */
  readonly saved: boolean
  /** What was saved, where it is asked for and Temporal can carry it. */
  readonly state: JsonFile["value"]
  /** Path of the file with the state, where that is asked for. */
  readonly response?: string
  /** What people should know besides, where the run did not complete. */
  readonly remark?: string
}

/** Whatever keeps a state from being saved may be repaired: only a state that is none is given up. */
const untilItWorks = (error: { readonly message: string }) =>
  Effect.fail(new StateUnsaved({ problem: error.message }))

/** For a cancelled run, which may have a directory or none: how long an empty volume is taken for one that is away. */
const MOUNT_LIMIT = "1 hour"

/** Fails where the run's directory must be there, or may be once the volume is mounted again. */
const requireMount = Effect.fnUntraced(function* (
  directory: string,
  { began, outcome }: EndRequest,
  scheduledAt: number
) {
  const storage = yield* SharedStorage
  const root = (yield* WorkerConfig).storage.path
  const missing = `The run's directory ${root}/${directory} is not there; is the volume mounted?`
  if (began) return yield* new StateUnsaved({ problem: missing })
  if (outcome !== "cancelled" || (yield* storage.isInUse)) return
  const waited = (yield* Clock.currentTimeMillis) - scheduledAt
  if (waited < Duration.toMillis(MOUNT_LIMIT)) {
    return yield* new StateUnsaved({ problem: missing, limit: MOUNT_LIMIT })
  }
  yield* Effect.logWarning(`${missing} The worker waited ${MOUNT_LIMIT} for it: no state was saved`)
})

/** Ends the writer's Pod. */
const endPod = Effect.fnUntraced(function* ({ operation, jobId, began }: EndRequest, { run }: ActivityRun) {
  const pods = yield* PodRunner
  const pod = yield* pods
    .stop({ operation, jobId, run })
    .pipe(Effect.catchTag("KubernetesError", untilItWorks))
  const marker = yield* exitMarker(ofWriter(run.workflowId)).pipe(
    Effect.catchTag("StorageError", untilItWorks)
  )
  // Of this very run: a directory may have been another run's before.
  const own = marker?.key === keyOf(run, operation) ? marker : undefined
  return {
    /** Whether its connector had ended well by itself before. */
    finished: (pod !== undefined && hasEndedWell(pod, own)) || (own !== undefined && hasFinished(own)),
    /** Whether a connector of this run has worked in the directory. */
    hasWorked: pod !== undefined || own !== undefined || began
  }
})

const saves = Metric.counter("state_saves_total", {
  description: "States that were saved, and saves that failed, by result: saved, or the class of the failure",
  incremental: true
})
const savedAs = (result: string) => Metric.update(Metric.withAttributes(saves, { result }), 1)

/** The state that this run's connector has left; undefined where it left none, or the directory is another run's. */
const leftState = Effect.fnUntraced(function* (
  ending: EndRequest,
  { run, scheduledAt }: ActivityRun,
  hasWorked: boolean
) {
  const { jobId } = ending
  const directory = ofWriter(run.workflowId)
  const storage = yield* SharedStorage
  if (!(yield* storage.hasDirectory(directory))) {
    yield* requireMount(directory, ending, scheduledAt)
    return undefined
  }
  const left = yield* readLeft(directory)
  const version = left.note?.runId === undefined ? yield* (yield* Jobs).versionOf(jobId) : undefined
  if (!isOwn(left, run, hasWorked, version)) {
    yield* Effect.logInfo("the run's directory is another run's: this one has left no state")
    return undefined
  }
  yield* removeCredentialsIfPossible(directory)
  if (left.state instanceof InvalidFile)
    return yield* new InvalidState({ jobId, problem: left.state.message })
  // What the run began with stands in the database already, or something newer does.
  return left.isConnectors ? left.state : undefined
})

/** Saves what a writer, whose Pod is over, has left. */
const saveState = Effect.fnUntraced(
  function* (ending: EndRequest, activity: ActivityRun, hasWorked: boolean) {
    const { jobId } = ending
    const state = yield* leftState(ending, activity, hasWorked)
    if (state === undefined) return { saved: false, state: {} }
    const saved = yield* saveOwn(ending, activity.run, state.text)
    if (saved) {
      yield* Effect.annotateLogs(Effect.logInfo("state saved"), { jobId })
      yield* savedAs("saved")
    }
    const fits = Buffer.byteLength(state.text) <= LARGEST_RESULT
    return { saved, state: fits ? state.value : {} }
  },
  (effect, { jobId }) =>
    effect.pipe(
      Effect.catchTags({
        DatabaseError: (error) =>
          isNoJson(error)
            ? Effect.fail(new InvalidState({ jobId, problem: error.message }))
            : untilItWorks(error),
        RowContended: untilItWorks,
        StorageError: untilItWorks,
        TemporalUnavailable: untilItWorks
      })
    ),
  Effect.tapError(({ _tag }) => savedAs(_tag))
)

/** Ends the Pod, takes the run's credentials away and saves its state. */
export const end = Effect.fnUntraced(function* (request: EndRequest, activity: ActivityRun) {
  yield* requireOwn(request, activity)
  const { finished, hasWorked } = yield* endPod(request, activity)
  const { saved, state } = yield* saveState(request, activity, hasWorked)
  const response = `${ofWriter(request.workflowId)}/${STATE_FILE}`
  const persisted: Persisted =
    request.answers === "state" ? { finished, saved, state } : { finished, saved, state: {}, response }
  return persisted
})

export const endSync = Effect.fn("activity.endSync")(function* (request: EndRequest, activity: ActivityRun) {
  const persisted = yield* end(request, activity)
  if (request.reports) yield* tellEnd(request, persisted.finished)
  return persisted
}, annotated)
