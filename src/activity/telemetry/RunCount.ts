/** Counts a job's syncs. A number that cannot be had is 0, which telemetry leaves out; no run fails for it. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { FIRST_PROJECT } from "../../database/Projects.ts"
import * as Counter from "../../olake/telemetry/RunCount.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import * as SyncSchedule from "../../temporal/SyncSchedule.ts"

export interface CountedJob {
  readonly jobId: number
  /** Empty where the request does not say. */
  readonly projectId: string
}

/** Of all that is asked: a connector waits for it. */
const LIMIT = "10 seconds"

const textOf = (jobId: number) =>
  Effect.flatMap(SharedStorage, (storage) => storage.read(Counter.COUNTERS, String(jobId))).pipe(
    Effect.map(Option.getOrUndefined)
  )

/** What the counter says, unchanged. */
const read = ({ jobId }: CountedJob) =>
  Effect.map(textOf(jobId), (text) =>
    Counter.countOf(text === undefined ? undefined : Counter.parseCounter(text))
  )

const increment = Effect.fnUntraced(function* ({ jobId, projectId }: CountedJob) {
  const storage = yield* SharedStorage
  const text = yield* textOf(jobId)
  const counter = text === undefined ? undefined : Counter.parseCounter(text)
  if (counter === "ineligible") return 0
  const schedule = { jobId, projectId: projectId || FIRST_PROJECT }
  const next =
    counter === undefined ? Counter.firstCounter(yield* SyncSchedule.startedRuns(schedule)) : counter + 1
  yield* storage.makeDirectory(Counter.COUNTERS)
  // Where another worker was faster, it has counted another run of the job: this one's number is not known.
  const isPlaced = yield* storage.replace(Counter.COUNTERS, String(jobId), Counter.encodeCounter(next), text)
  return isPlaced ? Counter.countOf(next) : 0
})

/** @param isNew whether the run is counted now; one that was counted before has the number that stands there */
export const runCount = (job: CountedJob, isNew: boolean) =>
  (isNew ? increment(job) : read(job)).pipe(
    Effect.timeout(LIMIT),
    Effect.catch(({ message }) =>
      Effect.as(Effect.logDebug(`the number of this sync of job ${job.jobId} is not known: ${message}`), 0)
    )
  )
