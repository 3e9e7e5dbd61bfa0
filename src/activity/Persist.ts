/**
 * `PostSyncActivity`: ends the sync's Pod and, once nothing can write any more, saves the connector's state.
 * It runs after success, failure and cancel alike, and may be repeated.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type DatabaseError, Jobs } from "../database/Jobs.ts"
import { PodRunner } from "../kubernetes/PodRunner.ts"
import type { PersistParams } from "../olake/ActivityParams.ts"
import { ofSync, STATE_FILE } from "../olake/Workdir.ts"
import type { JsonFile } from "../storage/JsonFile.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"
import { type ActivityRun, InvalidRequest } from "./ActivityBoundary.ts"
import { LARGEST_RESULT } from "./ResultSize.ts"

/** The state cannot be saved now; worth waiting for, whatever the reason. */
export class StateUnsaved extends Schema.TaggedError<StateUnsaved>()("StateUnsaved", {
  problem: Schema.String
}) {
  override get message(): string {
    return `The sync's state is not saved yet, and stays in the run's directory. ${this.problem} It is tried again until it works.`
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
}

/** Whatever keeps a state from being saved may be repaired: only a state that is none is given up. */
const untilItWorks = (error: { readonly message: string }) =>
  Effect.fail(new StateUnsaved({ problem: error.message }))

/** SQLSTATE class 22: Postgres cannot hold that text as JSON, however often it is asked. */
const refused = (jobId: number, error: DatabaseError): Effect.Effect<never, InvalidState | StateUnsaved> =>
  error.code.startsWith("22")
    ? Effect.fail(new InvalidState({ jobId, problem: error.message }))
    : untilItWorks(error)

/** The state that the connector has left; none where it wrote nothing. */
const leftState = Effect.fnUntraced(
  function* (jobId: number, directory: string, began: boolean) {
    const storage = yield* SharedStorage
    if (!(yield* storage.hasDirectory(directory))) {
      if (!began) return Option.none<JsonFile>()
      return yield* new StateUnsaved({
        problem: `The run's directory ${directory} is not on the shared storage; is it mounted?`
      })
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

export const persist = Effect.fn("activity.persist")(
  function* (params: PersistParams, { run }: ActivityRun) {
    const jobs = yield* Jobs
    const pods = yield* PodRunner
    if (params.WorkflowID !== run.workflowId) {
      return yield* new InvalidRequest({
        problems: [`WorkflowID: must be the id of the workflow that asks (${run.workflowId})`]
      })
    }
    const finished = yield* pods
      .stop({ operation: "sync", jobId: params.JobID, run })
      .pipe(Effect.catchTag("KubernetesError", untilItWorks))
    const state = yield* leftState(params.JobID, ofSync(params.WorkflowID), params.Began)
    if (Option.isNone(state)) return { finished, saved: false, state: {} } satisfies Persisted
    const saved = yield* jobs
      .saveState(params.JobID, state.value.text)
      .pipe(Effect.catchTag("DatabaseError", (error) => refused(params.JobID, error)))
    yield* saved
      ? Effect.logInfo("state saved")
      : Effect.logWarning(`job ${params.JobID} is no longer in the database: its state was not saved`)
    const fits = Buffer.byteLength(state.value.text) <= LARGEST_RESULT
    return { finished, saved, state: fits ? state.value.value : {} } satisfies Persisted
  },
  (effect, params) => Effect.annotateLogs(effect, { operation: "sync", jobId: params.JobID })
)
