/**
 * What writers leave in their directories, and when it may be saved to the job's row.
 *
 * A run that is open saves its own state over whatever the row has: nothing newer can be there. Of a run that is over,
 * because its workflow was terminated, reset or deleted, the state is saved only where nobody has written to the row since
 * the connector began: what the row holds is then what it began with, and what it has left comes after it. Of several
 * workers one is the first; the others find the row changed. A person's change of the row is respected in the same way.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Jobs } from "../../database/Jobs.ts"
import type { DatabaseError } from "../../database/Query.ts"
import { ownerOf } from "../../kubernetes/pod/PodIdentity.ts"
import type { PodView } from "../../kubernetes/pod/PodView.ts"
import { PodRunner } from "../../kubernetes/PodRunner.ts"
import type { RunIdentity } from "../../olake/Job.ts"
import type { RunNote } from "../../olake/RunNote.ts"
import { ofWriter, STATE_FILE } from "../../olake/Workdir.ts"
import { capped } from "../../Schedules.ts"
import { InvalidFile } from "../../storage/JsonFile.ts"
import { TemporalClient } from "../../temporal/TemporalClient.ts"
import { removeCredentialsIfPossible } from "../Credentials.ts"
import { type Left, readLeft } from "./RunDirectory.ts"

/** The Pod is gone, so that nobody will come by it again: a short outage of Postgres or the storage is waited for. */
const again = capped("1 second", "15 seconds")
const LIMIT = "10 minutes"

/** SQLSTATE class 22: Postgres cannot hold that text as JSON, however often it is asked. */
export const isNoJson = ({ code }: DatabaseError): boolean => code.startsWith("22")

/** Others write to the row all the time. */
export class RowContended extends Schema.TaggedError<RowContended>()("RowContended", { jobId: Schema.Int }) {
  override get message(): string {
    return `Others write to the row of job ${this.jobId} all the time.`
  }
  readonly isRetryable = true
}

/** Whether the note is of that run. Without the run's id in it, from a worker before 0.2, the workflow's id must do. */
const isNoteOf = (
  note: RunNote | undefined,
  jobId: number,
  workflowId: string,
  runId: string | undefined
): boolean =>
  note?.jobId === jobId &&
  note.workflowId === workflowId &&
  (note.runId === undefined || runId === undefined || note.runId === runId)

/**
 * Saves what a run that is over has left, where nobody has written to the job's row since it began; whether the row has it.
 * @param runId undefined for the run that the directory's note names, whichever that is
 */
export const saveLeft = Effect.fnUntraced(function* (
  jobId: number,
  workflowId: string,
  runId: string | undefined
) {
  const { note, state, isConnectors } = yield* readLeft(ofWriter(workflowId))
  const version = note?.rowVersion
  if (version === undefined || !isNoteOf(note, jobId, workflowId, runId)) return false
  if (!isConnectors || state === undefined || state instanceof InvalidFile) return false
  return yield* (yield* Jobs).saveState(jobId, state.text, { activates: false, version })
})

/** Never fails: the run that follows begins where the row stands. */
const rescue = Effect.fn("activity.rescue")(function* (jobId: number, workflowId: string, runId?: string) {
  yield* saveLeft(jobId, workflowId, runId).pipe(
    Effect.retry({
      schedule: again,
      // All but a text that is no state.
      while: (error) => error._tag === "StorageError" || !isNoJson(error)
    }),
    Effect.timeout(LIMIT),
    Effect.flatMap((saved) =>
      saved ? Effect.logInfo(`the state that workflow ${workflowId} had reached is saved`) : Effect.void
    ),
    Effect.catch(({ message }) =>
      Effect.logWarning(
        `the state that workflow ${workflowId} had reached was not saved: ${message}. It stays in ${ofWriter(workflowId)}/${STATE_FILE}`
      )
    )
  )
})

/**
 * Removes a Pod that nobody ends any more, with the credentials that its run had, and saves what that run has left.
 * @param isOver whether its run is known to be over; else only the Pod goes
 */
export const release = Effect.fn("activity.release")(function* (pod: PodView, isOver: boolean) {
  const runner = yield* PodRunner
  const { workflowId, runId, jobId, isWriter } = ownerOf(pod)
  yield* Effect.logWarning(
    `Pod ${pod.name} of ${isOver ? "an ended run" : "another Temporal, which has ended,"} (workflow ${workflowId ?? "unknown"}) is removed`
  )
  yield* runner.remove(pod)
  if (!isOver || !isWriter || workflowId === undefined) return
  const directory = ofWriter(workflowId)
  yield* readLeft(directory).pipe(
    Effect.flatMap(({ note }) =>
      // A later run of the same workflow may work there already.
      note === undefined || isNoteOf(note, jobId, workflowId, runId)
        ? removeCredentialsIfPossible(directory)
        : Effect.void
    ),
    Effect.catch(({ message }) =>
      Effect.logWarning(`the configs in clear text of workflow ${workflowId} are not removed yet: ${message}`)
    )
  )
  yield* rescue(jobId, workflowId, runId)
})

/** Somebody may write to the row between our look and our write, but not that often. */
const LOOKS = 5

/**
 * Saves the state of a run that ends; whether the row has it. The row's version is looked at first and Temporal asked after
 * it, so that an open run has nothing newer to overwrite; a run that is over has to find the row as it began.
 */
export const saveOwn = Effect.fnUntraced(function* (
  { jobId, activates }: { readonly jobId: number; readonly activates: boolean },
  { workflowId, runId }: RunIdentity,
  state: string
) {
  const jobs = yield* Jobs
  const temporal = yield* TemporalClient
  for (let look = 0; look < LOOKS; look++) {
    const version = yield* jobs.versionOf(jobId)
    if (version === undefined) {
      yield* Effect.logWarning(`job ${jobId} is no longer in the database: its state was not saved`)
      return false
    }
    if ((yield* temporal.lookAt(workflowId, runId)).state !== "open") {
      const saved = yield* saveLeft(jobId, workflowId, runId)
      if (!saved)
        yield* Effect.logWarning(
          `the run is over and somebody has written to job ${jobId} since it began: its state was not saved, and stays in ${ofWriter(workflowId)}/${STATE_FILE}`
        )
      return saved
    }
    if (yield* jobs.saveState(jobId, state, { activates, version })) return true
  }
  return yield* new RowContended({ jobId })
})

/**
 * Whether what stands in the directory is the ending run's own. A directory without a note is the Go worker's: nothing is
 * left of a Pod of its that was deleted with a cancel, and what that had reached is not to be lost.
 * @param hasWorked whether a Pod of this run, its connector's own note, or what the workflow has heard shows that it has
 * worked there
 * @param rowVersion of the job's row as it is now
 */
export const isOwn = (
  { note }: Pick<Left, "note">,
  { runId, workflowId }: RunIdentity,
  hasWorked: boolean,
  rowVersion: string | undefined
): boolean => {
  if (note === undefined) return true
  if (note.runId !== undefined) return note.runId === runId
  return note.workflowId === workflowId && (hasWorked || note.rowVersion === rowVersion)
}
