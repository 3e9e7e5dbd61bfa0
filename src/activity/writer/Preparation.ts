/** Makes a writer's directory ready for its Pod: the note first, and nothing over what another attempt has written. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { WorkerConfig } from "../../Config.ts"
import { type JobRow, Jobs } from "../../database/Jobs.ts"
import { keyOf, nameOf } from "../../kubernetes/pod/PodIdentity.ts"
import { type CommandLine, initialState, isEmptyState } from "../../olake/Connector.ts"
import { ConnectorType, ConnectorVersion } from "../../olake/contract/Legacy.ts"
import type { Job, JobIdentity } from "../../olake/Job.ts"
import { encodeRunNote, hashOf, type RunNote } from "../../olake/RunNote.ts"
import { RUN_FILE, STATE_FILE } from "../../olake/Workdir.ts"
import { InvalidFile } from "../../storage/JsonFile.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import { TemporalClient } from "../../temporal/TemporalClient.ts"
import type { ActivityError, ActivityRun } from "../Activity.ts"
import { Superseded } from "./ClaimErrors.ts"
import { type Left, readLeft } from "./RunDirectory.ts"

/** A run that wants to write for its job. */
export interface Writer extends JobIdentity, Pick<ActivityRun, "activityId" | "attempt"> {
  readonly operation: "sync" | "clear-destination"
  readonly directory: string
}

/** What a connector begins with. */
export interface Start {
  readonly row: JobRow
  readonly state: string
  /** Whether that is the run's own checkpoint, which its directory has already; else it is the job's row's. */
  readonly isOwn: boolean
  /** Whether there is anything to go on from. */
  readonly hasState: boolean
  /** Whether no attempt of this run has prepared the directory before. */
  readonly isFirst: boolean
}

/** What the command line of a writer needs besides arguments and files. */
export type WriterCommand = CommandLine & {
  readonly connector: string
  readonly timeout: Duration.Duration
}

/** The job's row names no image; its Pod of an earlier attempt may run all the same. */
export class InvalidJob extends Schema.TaggedError<InvalidJob>()("InvalidJob", {
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.problems.join("; ")}. Correct the source in the UI, then run again.`
  }
  readonly isRetryable = false
}

const isConnector = Schema.is(ConnectorType)
const isVersion = Schema.is(ConnectorVersion)

/** What the row says about the image comes from people too. */
const requireImage = (jobId: number, row: JobRow): Effect.Effect<void, InvalidJob> => {
  const problems = [
    ...(isConnector(row.sourceType) ? [] : [`Job ${jobId}: its source's type is no connector's name`]),
    ...(isVersion(row.sourceVersion) ? [] : [`Job ${jobId}: its source's version is no image tag`])
  ]
  return problems.length === 0 ? Effect.void : Effect.fail(new InvalidJob({ problems }))
}

/**
 * Whether a note is this run's. Workers before 0.2 did not name the run: their state goes on from the row as it is now, if
 * nobody has written to the row since.
 */
const isNoteOf = (note: RunNote | undefined, { run }: Writer, row: JobRow): boolean =>
  note?.runId === undefined
    ? note?.workflowId === run.workflowId && note.rowVersion === row.version
    : note.runId === run.runId

/** The job's row, unless the directory has a checkpoint of this very run. */
export const startOf = ({ note, state, isConnectors }: Left, writer: Writer, row: JobRow): Start => {
  const isNoted = isNoteOf(note, writer, row)
  const own =
    isNoted && isConnectors && state !== undefined && !(state instanceof InvalidFile) ? state.text : undefined
  const text = own !== undefined && !isEmptyState(own) ? own : undefined
  return {
    row,
    state: text ?? initialState(row.state),
    isOwn: text !== undefined,
    hasState: text !== undefined || !isEmptyState(row.state),
    isFirst: !isNoted
  }
}

const textOf = (found: string | undefined | InvalidFile): string | undefined =>
  found instanceof InvalidFile ? undefined : found

/** Writes what the connector needs. Another attempt that writes at the same time ends this one. */
const write = Effect.fnUntraced(function* (
  { jobId, run, operation, attempt, directory }: Writer,
  { row, state, isOwn }: Start,
  left: Left,
  files: Job["files"],
  temporalNamespaceId: string,
  pod: string
) {
  const storage = yield* SharedStorage
  const broken = [
    ...(left.noteText instanceof InvalidFile ? [RUN_FILE] : []),
    ...(left.stateText instanceof InvalidFile ? [STATE_FILE] : [])
  ]
  if (broken.length > 0) yield* storage.remove(directory, broken)
  const found = textOf(left.stateText)
  const note = encodeRunNote({
    jobId,
    workflowId: run.workflowId,
    runId: run.runId,
    ...(temporalNamespaceId === "" ? {} : { temporalNamespaceId }),
    key: keyOf(run, operation),
    attempt,
    rowVersion: row.version,
    ...(isOwn ? {} : { stateHash: hashOf(state) }),
    ...(isOwn || found === undefined ? {} : { foundHash: hashOf(found) })
  })
  const isNoted = yield* storage.replace(directory, RUN_FILE, note, textOf(left.noteText))
  if (!isNoted) return yield* new Superseded({ pod })
  yield* storage.prepare(directory, files)
  if (isOwn) return
  const isPlaced = yield* storage.replace(directory, STATE_FILE, state, found)
  if (!isPlaced) return yield* new Superseded({ pod })
})

/**
 * All that the run's Pod is made of.
 * @param writes whether the directory is made ready too; a Pod that was found has what it needs there
 */
export const prepare = Effect.fnUntraced(function* <E extends ActivityError, R>(
  writer: Writer,
  commandOf: (start: Start) => Effect.Effect<WriterCommand, E, R>,
  { writes }: { readonly writes: boolean }
) {
  const storage = yield* SharedStorage
  const row = yield* (yield* Jobs).read(writer.jobId)
  yield* requireImage(writer.jobId, row)
  const left = yield* readLeft(writer.directory)
  const start = startOf(left, writer, row)
  const command = yield* commandOf(start)
  const { pvcName } = (yield* WorkerConfig).jobs
  const temporalNamespaceId = yield* (yield* TemporalClient).namespaceId
  if (writes) {
    yield* storage.makeDirectory(writer.directory)
    yield* write(writer, start, left, command.files, temporalNamespaceId, nameOf(writer, pvcName))
  }
  const { activityId: _activity, attempt: _attempt, ...identity } = writer
  return {
    ...identity,
    ...command,
    version: row.sourceVersion,
    temporalNamespaceId
  } satisfies Job
})
