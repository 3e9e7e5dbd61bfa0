/**
 * Saves what a run has reached that nobody ends any more, because its workflow was terminated or reset. Done once its Pod
 * is proved gone, and only where nobody has written to the job's row since that Pod was made: what the row holds is then
 * what the connector began with, and what it has left comes after it. Of several workers one is the first; the others find
 * the row changed. A person's change of the row is respected in the same way.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { Jobs } from "../../database/Jobs.ts"
import { JOB_ID_LABEL, OPERATION_LABEL, WORKFLOW_ID_ANNOTATION } from "../../kubernetes/pod/PodSpec.ts"
import type { PodView } from "../../kubernetes/pod/PodView.ts"
import { isLongRunning } from "../../olake/Job.ts"
import { ofSync, RUN_FILE, STATE_FILE } from "../../olake/Workdir.ts"
import type { DatabaseError } from "../../database/Query.ts"
import type { InvalidFile } from "../../storage/JsonFile.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import type { StorageError } from "../../storage/StorageError.ts"

/** The Pod is gone, so that nobody will come by it again: a short outage of Postgres or the storage is waited for. */
const again = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("15 seconds")])
const LIMIT = "10 minutes"

/** All but a text that is no state, SQLSTATE class 22 included: as at a run's own end. */
const mayPass = (error: DatabaseError | StorageError | InvalidFile): boolean =>
  error._tag === "StorageError" || (error._tag === "DatabaseError" && !error.code.startsWith("22"))

/** What the connector of that very job's run has left, and the version of the row it began with. */
const leftBy = Effect.fnUntraced(function* (jobId: number, workflowId: string) {
  const storage = yield* SharedStorage
  const directory = ofSync(workflowId)
  const {
    jobId: ofJob,
    workflowId: ofRun,
    rowVersion
  } = Option.getOrUndefined(yield* storage.readJson(directory, RUN_FILE))?.value ?? {}
  if (ofJob !== jobId || ofRun !== workflowId || typeof rowVersion !== "string") return undefined
  if (!(yield* storage.isConnectors(directory, STATE_FILE))) return undefined
  const state = Option.getOrUndefined(yield* storage.readJson(directory, STATE_FILE))
  return state === undefined ? undefined : { state: state.text, rowVersion }
})

/** Saves what a run that is over has left, where nobody has written to the job's row since it began; whether it did. */
export const saveLeft = Effect.fnUntraced(function* (jobId: number, workflowId: string) {
  const left = yield* leftBy(jobId, workflowId)
  if (left === undefined) return false
  const jobs = yield* Jobs
  return yield* jobs.saveState(jobId, left.state, { activates: false, version: left.rowVersion })
})

/** @param pod of a writer, proved gone; its run is closed. Never fails: the run that follows begins where the row stands. */
export const rescue = Effect.fn("activity.rescue")(function* ({ annotations, labels }: PodView) {
  const workflowId = annotations[WORKFLOW_ID_ANNOTATION]
  const jobId = Number(labels[JOB_ID_LABEL])
  if (workflowId === undefined || !isLongRunning(labels[OPERATION_LABEL] ?? "")) return
  yield* saveLeft(jobId, workflowId).pipe(
    Effect.retry({ schedule: again, while: mayPass }),
    Effect.timeout(LIMIT),
    Effect.flatMap((saved) =>
      saved ? Effect.logInfo(`the state that workflow ${workflowId} had reached is saved`) : Effect.void
    ),
    Effect.catch(({ message }) =>
      Effect.logWarning(
        `the state that workflow ${workflowId} had reached was not saved: ${message}. It stays in ${ofSync(workflowId)}/${STATE_FILE}`
      )
    )
  )
})
