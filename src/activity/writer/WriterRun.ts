/** What syncs and clear-destinations share: waiting for the job's Pod, making it where there is none. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { WorkerConfig } from "../../Config.ts"
import { type JobRow, Jobs } from "../../database/Jobs.ts"
import { PodRunner, type Wanted } from "../../kubernetes/PodRunner.ts"
import { ConnectorType, ConnectorVersion } from "../../olake/contract/Legacy.ts"
import type { CommandLine } from "../../olake/Connector.ts"
import { parseExitMarker } from "../../olake/ExitMarker.ts"
import { type SyncRequest, timeoutOf } from "../../olake/contract/Current.ts"
import type { Job } from "../../olake/Job.ts"
import { EXIT_FILE, ofSync } from "../../olake/Workdir.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import { TemporalClient } from "../../temporal/TemporalClient.ts"
import { type ActivityError, type ActivityRun, InvalidRequest } from "../Activity.ts"
import { explain } from "../Explain.ts"
import { rescue } from "./LeftState.ts"

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
const requireImage = (jobId: number, row: JobRow): Effect.Effect<void, InvalidJob> => {
  const problems = [
    ...(isConnector(row.sourceType) ? [] : [`Job ${jobId}: its source's type is no connector's name`]),
    ...(isVersion(row.sourceVersion) ? [] : [`Job ${jobId}: its source's version is no image tag`])
  ]
  return problems.length === 0 ? Effect.void : Effect.fail(new InvalidJob({ problems }))
}

/** A request works in the directory of its own run only. */
export const requireOwn = (field: string, workflowId: string, { run }: ActivityRun) =>
  workflowId === run.workflowId
    ? Effect.void
    : Effect.fail(
        new InvalidRequest({
          problems: [`${field}: must be the id of the workflow that asks (${run.workflowId})`]
        })
      )

interface WriterIdentity extends Wanted {
  readonly operation: "sync" | "clear-destination"
  readonly directory: string
}

export const identityOf = (
  operation: WriterIdentity["operation"],
  jobId: number,
  { run, attempt }: ActivityRun
): WriterIdentity => ({ operation, jobId, run, attempt, directory: ofSync(run.workflowId) })

/** What a request may say of its connector; the job's row has the rest. */
type Asked = Partial<Pick<SyncRequest, "connector_type" | "timeout">>

/** The job as its row and its request have it now; `commandOf` makes the connector's files and arguments of the row. */
export const jobOf = Effect.fnUntraced(function* <E, R>(
  identity: WriterIdentity,
  { connector_type, timeout = 0 }: Asked,
  commandOf: (row: JobRow) => Effect.Effect<CommandLine, E, R>
) {
  const { timeouts } = yield* WorkerConfig
  const row = yield* (yield* Jobs).read(identity.jobId)
  yield* requireImage(identity.jobId, row)
  return {
    ...identity,
    ...(yield* commandOf(row)),
    connector: connector_type || row.sourceType,
    version: row.sourceVersion,
    timeout: timeoutOf({ timeout }) ?? timeouts.sync
  } satisfies Job
})

/** How the newest connector of a run ended; nothing where none has noted it. */
export const exitMarker = Effect.fnUntraced(function* (directory: string) {
  const storage = yield* SharedStorage
  const found = yield* storage
    .read(directory, EXIT_FILE)
    .pipe(Effect.catchTag("InvalidFile", () => Effect.succeed(Option.none())))
  return Option.isSome(found) ? parseExitMarker(found.value) : undefined
})

/** To be read when it is asked for; a volume that does not answer leaves the verdict to what Kubernetes says. */
export const markerIfReadable = (directory: string) =>
  Effect.map(SharedStorage, (storage) =>
    exitMarker(directory).pipe(
      Effect.orElseSucceed(() => undefined),
      Effect.provideService(SharedStorage, storage)
    )
  )

/**
 * Waits for the Pod, and leaves it for `EndSync.ts` to end: a worker that stops leaves it to the next attempt.
 * @param make all that a Pod is made of; not looked at where the run has one, whatever became of the job's row since
 */
export const writerRun = Effect.fnUntraced(function* <E extends ActivityError, R>(
  wanted: WriterIdentity,
  make: Effect.Effect<Job, E, R>
) {
  const pods = yield* PodRunner
  const storage = yield* SharedStorage
  const temporal = yield* TemporalClient
  const { workflowId, runId } = wanted.run
  const exit = yield* pods.adopt(wanted, {
    prepare: Effect.tap(make, ({ directory, files }) => storage.prepare(directory, files)),
    onEnded: rescue,
    marker: yield* markerIfReadable(wanted.directory),
    runState: (id, run) => Effect.map(temporal.lookAt(id, run), ({ state }) => state),
    // A first attempt begins with its workflow; a later one may come when all is over.
    isCancelled: wanted.attempt === 1 ? Effect.succeed(false) : temporal.isCancelled(workflowId, runId)
  })
  if (exit.failure !== undefined) return yield* yield* explain(exit, exit.failure, wanted)
  return { pod: exit.view.name, ...(exit.view.node === undefined ? {} : { node: exit.view.node }) }
})
