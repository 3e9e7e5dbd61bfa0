/** What discover and test share: a run of minutes in a Pod that is gone when the activity ends. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { PodFailure } from "../../kubernetes/verdict/PodFailure.ts"
import { PodRunner } from "../../kubernetes/PodRunner.ts"
import type { ShortRequest } from "../../olake/contract/Request.ts"
import type { CommandLine } from "../../olake/Connector.ts"
import type { Job } from "../../olake/Job.ts"
import { problemWithDirectoryName } from "../../olake/Workdir.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import { TemporalClient } from "../../temporal/TemporalClient.ts"
import { type ActivityRun, InvalidRequest } from "../Activity.ts"
import { removeCredentials } from "../Credentials.ts"

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

/** The cluster took the Pod away; another attempt has another. */
export class PodTaken extends Schema.TaggedError<PodTaken>()("PodTaken", { failure: PodFailure }) {
  override get message(): string {
    return `${this.failure.message} It is tried again.`
  }
  get failureType(): string {
    return this.failure.failureType
  }
  get category(): string | undefined {
    return this.failure.category
  }
  readonly isRetryable = true
}

const MOST_ATTEMPTS = 4

/** What took long to fail would take as long again: somebody waits for the answer. */
const isWorthAnother = ({ retry, class: kind }: PodFailure, attempt: number): boolean =>
  retry !== "no" && kind !== "Unschedulable" && kind !== "StartTimeout" && attempt < MOST_ATTEMPTS

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
const directoryOf = ({ idField, workflowId }: ShortRequest, { run }: ActivityRun) => {
  const problem =
    workflowId === run.workflowId
      ? problemWithDirectoryName(workflowId)
      : `must be the id of the workflow that asks (${run.workflowId})`
  return problem === undefined
    ? Effect.succeed(workflowId)
    : Effect.fail(new InvalidRequest({ problems: [`${idField}: ${problem}`] }))
}

/** Time left of `limit`, counted from when Temporal first scheduled the activity; attempts do not renew it. */
const timeLeft = (limit: Duration.Duration, scheduledAt: number): Effect.Effect<Duration.Duration> =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    Duration.subtract(limit, Duration.millis(Math.max(0, now - scheduledAt)))
  )

export interface ShortWork {
  readonly request: ShortRequest
  readonly command: CommandLine
  readonly timeout: Duration.Duration
  /** What sets the timeout. */
  readonly variable: string
}

/** Says in each line of the log what it is about. */
export const annotated = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  { operation, connector, jobId }: ShortRequest
): Effect.Effect<A, E, R> => Effect.annotateLogs(effect, { operation, connector, jobId })

/** Writes the run's files, runs its Pod to the end and hands that over; the Pod is gone with the scope. */
export const shortRun = Effect.fnUntraced(function* (
  { request, command, timeout: limit, variable }: ShortWork,
  activity: ActivityRun
) {
  const pods = yield* PodRunner
  const storage = yield* SharedStorage
  const { operation, connector, version, jobId } = request
  const directory = yield* directoryOf(request, activity)
  const timeout = yield* timeLeft(limit, activity.scheduledAt)
  const over = new TimedOut({ operation, limit: Duration.format(limit), variable })
  if (Duration.toMillis(timeout) <= 0) return yield* over
  const job: Job = {
    operation,
    connector,
    version,
    args: command.args,
    secretKey: command.secretKey,
    directory,
    files: command.files,
    jobId,
    run: activity.run,
    timeout,
    temporalNamespaceId: yield* (yield* TemporalClient).namespaceId
  }
  // After the Pod, which goes first.
  yield* Effect.addFinalizer(() => Effect.ignore(removeCredentials(directory)))
  const { own } = yield* pods.find(job, activity.attempt === 1)
  // What a Pod that is there already works with stays as it is; one that is being deleted is followed by another.
  if (own === undefined || own.deletionTimestamp !== undefined) yield* storage.prepare(directory, job.files)
  const exit = yield* pods
    .run(job)
    .pipe(Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(over) }))
  const { failure } = exit
  if (failure !== undefined && isWorthAnother(failure, activity.attempt))
    return yield* new PodTaken({ failure })
  return { job, exit }
})
