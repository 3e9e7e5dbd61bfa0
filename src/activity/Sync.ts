/**
 * `SyncActivity`: waits for the job's Pod, making it where there is none. It never deletes the Pod, so a worker
 * that stops leaves it to the next attempt; `Persist.ts` ends it.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { WorkerConfig } from "../Config.ts"
import { type JobRow, Jobs } from "../database/Jobs.ts"
import { PodRunner } from "../kubernetes/PodRunner.ts"
import { ConnectorType, ConnectorVersion, type SyncParams } from "../olake/ActivityParams.ts"
import * as Connector from "../olake/Connector.ts"
import type { Job } from "../olake/Job.ts"
import { ofSync } from "../olake/Workdir.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"
import { TemporalClient } from "../temporal/TemporalClient.ts"
import { type ActivityRun, InvalidRequest } from "./ActivityBoundary.ts"
import { explain } from "./Explain.ts"

const isConnector = Schema.is(ConnectorType)
const isVersion = Schema.is(ConnectorVersion)

/** The job's row names no image; its Pod of an earlier attempt may run all the same. */
export class InvalidJob extends Schema.TaggedError<InvalidJob>()("InvalidJob", {
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.problems.join("; ")}. Correct the source in the UI, then run again.`
  }
  readonly isRetryable = false
}

/** What the row says about the image comes from people too. */
const imageProblems = (jobId: number, row: JobRow): ReadonlyArray<string> => [
  ...(isConnector(row.sourceType) ? [] : [`Job ${jobId}: its source's type is no connector's name`]),
  ...(isVersion(row.sourceVersion) ? [] : [`Job ${jobId}: its source's version is no image tag`])
]

export const sync = Effect.fn("activity.sync")(
  function* (params: SyncParams, activity: ActivityRun) {
    const { jobs: settings, timeouts } = yield* WorkerConfig
    const jobs = yield* Jobs
    const pods = yield* PodRunner
    const storage = yield* SharedStorage
    const temporal = yield* TemporalClient
    if (params.WorkflowID !== activity.run.workflowId) {
      return yield* new InvalidRequest({
        problems: [`WorkflowID: must be the id of the workflow that asks (${activity.run.workflowId})`]
      })
    }
    const row = yield* jobs.read(params.JobID)
    const problems = imageProblems(params.JobID, row)
    if (problems.length > 0) return yield* new InvalidJob({ problems })
    const command = Connector.sync(
      {
        source: row.sourceConfig,
        destination: row.destinationConfig,
        streams: row.streamsConfig,
        state: row.state
      },
      settings.secretKey
    )
    const job: Job = {
      operation: "sync",
      connector: row.sourceType,
      version: row.sourceVersion,
      args: command.args,
      secretKey: command.secretKey,
      directory: ofSync(params.WorkflowID),
      files: command.files,
      jobId: params.JobID,
      run: activity.run,
      timeout: timeouts.sync,
      askedAt: activity.scheduledAt
    }
    const exit = yield* pods
      .adopt(job, { prepare: storage.prepare(job.directory, job.files), isOpen: temporal.isOpen })
      .pipe(Effect.annotateLogs({ connector: row.sourceType }))
    if (exit.failure !== undefined) return yield* yield* explain(exit, exit.failure, job)
    return { pod: exit.view.name, ...(exit.view.node === undefined ? {} : { node: exit.view.node }) }
  },
  (effect, params) => Effect.annotateLogs(effect, { operation: "sync", jobId: params.JobID })
)
