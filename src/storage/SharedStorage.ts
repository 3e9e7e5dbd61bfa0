/**
 * The volume that the worker, OLake's UI and the connectors share. Files appear whole or not at all, nothing
 * leaves a run's directory, and every call is bounded, so that a hung mount is an error and not a hang.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as path from "node:path"
import { WorkerConfig } from "../Config.ts"
import type { JobFile } from "../olake/Job.ts"
import { isWriterDirectory } from "../olake/Workdir.ts"
import * as ConnectorLogs from "./ConnectorLogs.ts"
import * as Files from "./Files.ts"
import { type InvalidFile, type JsonFile, parseObject } from "./JsonFile.ts"
import * as LogRetention from "./LogRetention.ts"
import { tryWrite, writability } from "./Probe.ts"
import { noneIfMissing, type StorageError } from "./StorageError.ts"
import { OPEN_MODE } from "./Writes.ts"

const PRIVATE_MODE = 0o600

export class SharedStorage extends Context.Service<
  SharedStorage,
  {
    /** Makes the run's directory where it is not there. */
    readonly makeDirectory: (directory: string) => Effect.Effect<void, StorageError>
    /** Makes the run's directory and writes its files. */
    readonly prepare: (directory: string, files: ReadonlyArray<JobFile>) => Effect.Effect<void, StorageError>
    /** Replaces a file of a run, whose directory is there. */
    readonly write: (directory: string, file: string, content: string) => Effect.Effect<void, StorageError>
    /**
     * Writes a file of a run where it still holds what was read of it; whether it did. Two that write at once do not
     * overwrite each other: one of them hears of it.
     * @param was what was read; undefined where the file was not there
     */
    readonly replace: (
      directory: string,
      file: string,
      content: string,
      was: string | undefined
    ) => Effect.Effect<boolean, StorageError>
    /** Puts a file back that a worker was replacing when it was killed; whether there was one. */
    readonly restoreTaken: (directory: string, file: string) => Effect.Effect<boolean, StorageError>
    /** The directories of writers' runs. */
    readonly writers: Effect.Effect<ReadonlyArray<string>, StorageError>
    /** Names of what is in the run's directory; nothing where it is not there. */
    readonly list: (directory: string) => Effect.Effect<ReadonlyArray<string>, StorageError>
    /** None where the file is not there. */
    readonly read: (
      directory: string,
      file: string
    ) => Effect.Effect<Option.Option<string>, StorageError | InvalidFile>
    /** None where the file is not there; fails where it is no JSON object. */
    readonly readJson: (
      directory: string,
      file: string
    ) => Effect.Effect<Option.Option<JsonFile>, StorageError | InvalidFile>
    /** Whatever they are, with all that is in them; files that are not there are none to remove. */
    readonly remove: (directory: string, files: ReadonlyArray<string>) => Effect.Effect<void, StorageError>
    /** With all that is in it; nothing where it is not there. */
    readonly removeDirectory: (directory: string) => Effect.Effect<void, StorageError>
    readonly hasDirectory: (directory: string) => Effect.Effect<boolean, StorageError>
    /** Whether anybody has put anything there: a missing or empty root may be a mount that is away. */
    readonly isInUse: Effect.Effect<boolean, StorageError>
    /** What a small file of at most `most` bytes holds at this moment. */
    readonly glance: (
      directory: string,
      file: string,
      most: number
    ) => Effect.Effect<Option.Option<Files.Glance>, StorageError | InvalidFile>
    /**
     * The end of the newest log that the connector has written, none of before `since` (ms of the epoch).
     * @param most bytes that are read; 256 KiB where not given
     */
    readonly connectorLog: (
      directory: string,
      since?: number,
      most?: number
    ) => Effect.Effect<Option.Option<string>, StorageError>
    /** Adds to `logs/worker.log` of a run, whose directory is there. */
    readonly appendWorkerLog: (
      directory: string,
      lines: string
    ) => Effect.Effect<void, StorageError | InvalidFile>
    /** Removes old runs. */
    readonly sweep: (retention: LogRetention.Retention) => Effect.Effect<LogRetention.Swept, StorageError>
    /** Writes a file and removes it again; what is left on the volume, in bytes. */
    readonly tryWrite: Effect.Effect<number, StorageError>
    /** Whether a file can be written right now. */
    readonly isWritable: Effect.Effect<boolean>
  }
>()("olake-worker/storage/SharedStorage") {
  static readonly layer = Layer.effect(
    SharedStorage,
    Effect.gen(function* () {
      const { kubernetes, jobs } = yield* WorkerConfig
      const files = yield* Files.make
      const { fs, root, inside, attempt, writeWhole, makeDirectory } = files
      const privateMode = isReadByConnector(jobs.podSecurityContext) ? PRIVATE_MODE : OPEN_MODE

      const prepare = Effect.fn("SharedStorage.prepare")(function* (
        directory: string,
        jobFiles: ReadonlyArray<JobFile>
      ) {
        yield* makeDirectory(inside(directory))
        for (const { name, content, isPrivate = false } of jobFiles)
          yield* writeWhole(inside(directory, name), content, isPrivate ? privateMode : OPEN_MODE)
      })

      const readJson = (directory: string, file: string) =>
        Effect.gen(function* () {
          const found = yield* files.read(directory, file)
          if (Option.isNone(found)) return Option.none<JsonFile>()
          return Option.some(yield* parseObject(inside(directory, file), found.value))
        }).pipe(Effect.withSpan("SharedStorage.readJson"))

      const hasDirectory = (directory: string) => {
        const folder = inside(directory)
        return attempt("look for", folder, fs.exists(folder))
      }

      const list = (directory: string) => {
        const folder = inside(directory)
        return attempt("list", folder, fs.readDirectory(folder)).pipe(
          noneIfMissing,
          Effect.map(Option.getOrElse((): Array<string> => []))
        )
      }

      const writers = Effect.map(attempt("list", root, fs.readDirectory(root)), (names) =>
        names.filter(isWriterDirectory)
      )

      const isInUse = attempt("list", root, fs.readDirectory(root)).pipe(
        noneIfMissing,
        Effect.map((names) => Option.getOrElse(names, () => []).some((name) => !name.startsWith(".olake-")))
      )

      const remove = (directory: string, names: ReadonlyArray<string>) =>
        Effect.forEach(
          names,
          (name) => {
            const target = inside(directory, name)
            return attempt("remove", target, fs.remove(target, { force: true, recursive: true }))
          },
          { discard: true }
        )

      const removeDirectory = (directory: string) => {
        const folder = inside(directory)
        return attempt("remove", folder, fs.remove(folder, { recursive: true, force: true }))
      }

      const appendWorkerLog = Effect.fnUntraced(function* (directory: string, lines: string) {
        const logs = inside(directory, "logs")
        yield* makeDirectory(logs)
        const target = path.join(logs, "worker.log")
        // A connector may have put links there, into other runs.
        yield* files.realPathInside(directory, logs)
        yield* files.plainFile(directory, target).pipe(noneIfMissing)
        yield* attempt("write", target, fs.writeFileString(target, lines, { flag: "a", mode: OPEN_MODE }))
      })

      return SharedStorage.of({
        makeDirectory: (directory) => makeDirectory(inside(directory)),
        prepare,
        replace: files.replace,
        restoreTaken: files.restoreTaken,
        list,
        writers,
        write: (directory, file, content) => writeWhole(inside(directory, file), content),
        read: files.read,
        glance: files.glance,
        readJson,
        remove,
        removeDirectory,
        hasDirectory,
        isInUse,
        connectorLog: ConnectorLogs.make(files),
        appendWorkerLog,
        sweep: LogRetention.make(files),
        tryWrite: tryWrite(files, `.olake-doctor-${kubernetes.podName}`),
        isWritable: yield* writability(files, `.olake-worker-${kubernetes.podName}`)
      })
    })
  )
}

/** Whether the connector may read what only the worker's user and root may: it runs as root, or as that user. */
const isReadByConnector = ({ runAsUser, runAsNonRoot }: Readonly<Record<string, unknown>> = {}): boolean =>
  runAsUser === undefined ? runAsNonRoot !== true : runAsUser === 0 || runAsUser === process.getuid?.()
