/**
 * `PostSyncActivity`: ends the sync's Pod and, once nothing can write any more, saves the connector's state.
 * It runs after success, failure and cancel alike, and may be repeated.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Jobs } from "../database/Jobs.ts"
import { PodRunner } from "../kubernetes/PodRunner.ts"
import type { SyncParams } from "../olake/ActivityParams.ts"
import { ofSync, STATE_FILE } from "../olake/Workdir.ts"
import type { JsonFile } from "../storage/JsonFile.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"
import type { StorageError } from "../storage/StorageError.ts"
import { type ActivityRun, InvalidRequest } from "./ActivityBoundary.ts"
import { LARGEST_RESULT } from "./ResultSize.ts"

/** The state is there but cannot be read now; worth waiting for, whatever the reason. */
export class StateUnreadable extends Schema.TaggedError<StateUnreadable>()("StateUnreadable", {
  problem: Schema.String
}) {
  override get message(): string {
    return `The sync's state is not saved yet. ${this.problem} It is tried again until it works.`
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

const waiting = (error: StorageError) => Effect.fail(new StateUnreadable({ problem: error.message }))

export const persist = Effect.fn("activity.persist")(
  function* (params: SyncParams, { run }: ActivityRun) {
    const jobs = yield* Jobs
    const pods = yield* PodRunner
    const storage = yield* SharedStorage
    if (params.WorkflowID !== run.workflowId) {
      return yield* new InvalidRequest({
        problems: [`WorkflowID: must be the id of the workflow that asks (${run.workflowId})`]
      })
    }
    const finished = yield* pods.stop({ operation: "sync", jobId: params.JobID, run })
    const state = yield* storage.readJson(ofSync(params.WorkflowID), STATE_FILE).pipe(
      Effect.catchTag("StorageError", waiting),
      Effect.catchTag("InvalidFile", (error) =>
        Effect.fail(new InvalidState({ jobId: params.JobID, problem: error.message }))
      )
    )
    // A connector writes no empty state: this is what the run began with.
    if (Option.isNone(state) || Object.keys(state.value.value).length === 0)
      return { finished, saved: false, state: {} } satisfies Persisted
    const saved = yield* jobs.saveState(params.JobID, state.value.text)
    yield* saved
      ? Effect.logInfo("state saved")
      : Effect.logWarning(`job ${params.JobID} is no longer in the database: its state was not saved`)
    const fits = Buffer.byteLength(state.value.text) <= LARGEST_RESULT
    return { finished, saved, state: fits ? state.value.value : {} } satisfies Persisted
  },
  (effect, params) => Effect.annotateLogs(effect, { operation: "sync", jobId: params.JobID })
)
