/** What telemetry says of a run, put together from storage, database and schedule; nothing where it is switched off. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { WorkerConfig } from "../../Config.ts"
import { Jobs } from "../../database/Jobs.ts"
import type { JobFile } from "../../olake/Job.ts"
import { filesOf, type JobFacts, type Payload, payloadOf } from "../../olake/telemetry/Payload.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import { type CountedJob, runCount } from "./RunCount.ts"

export const isDisabled = Effect.map(WorkerConfig, ({ callback }) => callback.telemetryDisabled)

/** OLake's UI leaves it for all connectors. */
const userId = Effect.flatMap(SharedStorage, (storage) => storage.read("telemetry", "user_id")).pipe(
  Effect.map(Option.getOrElse(() => "")),
  Effect.orElseSucceed(() => "")
)

/** Undefined where they cannot be had: an event then has the least that is known. */
export const factsOf = (jobId: number): Effect.Effect<JobFacts | undefined, never, Jobs> =>
  Effect.flatMap(Jobs, (jobs) => jobs.facts(jobId)).pipe(
    Effect.catch(({ message }) =>
      Effect.as(Effect.logDebug(`telemetry of job ${jobId} does without its names: ${message}`), undefined)
    )
  )

/**
 * The files that telemetry gives to a connector besides its own; none that the request, or OLake's UI, has brought.
 * @param present names of the files that are there
 */
const missing = (files: ReadonlyArray<JobFile>, present: ReadonlyArray<string>): ReadonlyArray<JobFile> =>
  files.filter(({ name }) => !present.includes(name))

/** Of every operation but a sync. */
export const files = Effect.fnUntraced(function* (
  jobId: number,
  version: string,
  present: ReadonlyArray<string>
) {
  if (yield* isDisabled) return []
  const user = yield* userId
  return missing(filesOf(user, version, payloadOf(user, jobId)), present)
})

/** Of a sync: what its connector and the worker's own events tell. */
export interface SyncTold {
  readonly facts: JobFacts | undefined
  readonly payload: Payload
  readonly files: ReadonlyArray<JobFile>
}

/** What an event of a sync that was counted before carries. */
export const payload = Effect.fnUntraced(function* (job: CountedJob, facts: JobFacts | undefined) {
  return payloadOf(yield* userId, job.jobId, facts, yield* runCount(job, false))
})

/**
 * @param version of the connector, where the job's row cannot be asked
 * @param isNew whether the run has not been counted yet
 */
export const ofSync = Effect.fnUntraced(function* (job: CountedJob, version: string, isNew: boolean) {
  if (yield* isDisabled) return { facts: undefined, payload: {}, files: [] } satisfies SyncTold
  const user = yield* userId
  const facts = yield* factsOf(job.jobId)
  const payload = payloadOf(user, job.jobId, facts, yield* runCount(job, isNew))
  return {
    facts,
    payload,
    files: filesOf(user, facts?.sourceVersion || version, payload)
  } satisfies SyncTold
})
