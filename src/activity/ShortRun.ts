/** What discover and test share: a run of minutes in a Pod that is gone when the activity ends. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { PodRunner } from "../kubernetes/PodRunner.ts"
import type { DiscoverParams, TestParams } from "../olake/ActivityParams.ts"
import type { CommandLine } from "../olake/Connector.ts"
import type { Job, Operation } from "../olake/Job.ts"
import { ofShortRun, problemWithDirectoryName } from "../olake/Workdir.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"
import { type ActivityRun, InvalidRequest } from "./ActivityBoundary.ts"

/** The operation's own time is over; the Pod is deleted with it. */
export class TimedOut extends Schema.TaggedError<TimedOut>()("TimedOut", {
  operation: Schema.String,
  limit: Schema.String,
  variable: Schema.String
}) {
  override get message(): string {
    return `The ${this.operation} did not end within ${this.limit}. Raise ${this.variable}, or look at why the connector takes so long.`
  }
  readonly isRetryable = false
}

/** The connector ended well but left no result. */
export class ResultMissing extends Schema.TaggedError<ResultMissing>()("ResultMissing", {
  operation: Schema.String,
  /** The file or line that should be there. */
  expected: Schema.String,
  connector: Schema.String
}) {
  override get message(): string {
    return `The ${this.operation} ended without ${this.expected}, though the connector (${this.connector}) reported success. Is this connector's version able to ${this.operation}?`
  }
  readonly isRetryable = false
}

/** The id names the run's directory, and only this run's: a request cannot reach into another's. */
const directoryOf = (params: DiscoverParams | TestParams, { run }: ActivityRun) => {
  const problem =
    params.WorkflowID === run.workflowId
      ? problemWithDirectoryName(params.WorkflowID)
      : `must be the id of the workflow that asks (${run.workflowId})`
  return problem === undefined
    ? Effect.succeed(ofShortRun(params.WorkflowID))
    : Effect.fail(new InvalidRequest({ problems: [`WorkflowID: ${problem}`] }))
}

/** Time left of `limit`, counted from when Temporal first scheduled the activity; attempts do not renew it. */
const timeLeft = (limit: Duration.Duration, scheduledAt: number): Effect.Effect<Duration.Duration> =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    Duration.subtract(limit, Duration.millis(Math.max(0, now - scheduledAt)))
  )

/** Writes the run's files, runs its Pod to the end and hands that to `use`; the Pod is gone afterwards. */
export const shortRun = Effect.fnUntraced(function* (
  operation: Operation & ("discover" | "check"),
  params: DiscoverParams | TestParams,
  command: CommandLine,
  activity: ActivityRun,
  limit: { readonly timeout: Duration.Duration; readonly variable: string }
) {
  const pods = yield* PodRunner
  const storage = yield* SharedStorage
  const directory = yield* directoryOf(params, activity)
  const timeout = yield* timeLeft(limit.timeout, activity.scheduledAt)
  const over = new TimedOut({ operation, limit: Duration.format(limit.timeout), variable: limit.variable })
  if (Duration.toMillis(timeout) <= 0) return yield* over
  const job: Job = {
    operation,
    connector: params.SourceType,
    version: params.Version,
    args: command.args,
    secretKey: command.secretKey,
    directory,
    files: command.files,
    jobId: params.JobID,
    run: activity.run,
    timeout,
    askedAt: activity.scheduledAt
  }
  const exit = yield* pods
    .run(job, storage.prepare(directory, job.files))
    .pipe(Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(over) }))
  return { job, exit }
})
