/**
 * The volume that the worker, OLake's UI and the connectors share. Files appear whole or not at all, nothing
 * leaves a run's directory, and every call is bounded, so that a hung mount is an error and not a hang.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import { statfs } from "node:fs/promises"
import * as path from "node:path"
import { WorkerConfig } from "../Config.ts"
import type { JobFile } from "../olake/Job.ts"
import { sha256 } from "../olake/Workdir.ts"
import * as ConnectorLogs from "./ConnectorLogs.ts"
import * as Files from "./Files.ts"
import { type InvalidFile, type JsonFile, parseObject } from "./JsonFile.ts"
import * as LogRetention from "./LogRetention.ts"
import type { StorageError } from "./StorageError.ts"

const PROBE_LIMIT = "2 seconds"
/** How long one probe's answer is good for, in milliseconds. */
const PROBE_AGE = 5_000
const PRIVATE_MODE = 0o600

export class SharedStorage extends Context.Service<
  SharedStorage,
  {
    /** Makes the run's directory and writes its files. */
    readonly prepare: (directory: string, files: ReadonlyArray<JobFile>) => Effect.Effect<void, StorageError>
    /** Replaces a file of a run, whose directory is there. */
    readonly write: (directory: string, file: string, content: string) => Effect.Effect<void, StorageError>
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
    /** Files that are not there are none to remove. */
    readonly remove: (directory: string, files: ReadonlyArray<string>) => Effect.Effect<void, StorageError>
    /** With all that is in it; nothing where it is not there. */
    readonly removeDirectory: (directory: string) => Effect.Effect<void, StorageError>
    /** Whether the file is there, valid, and the connector's own: not what `prepare` has put there. */
    readonly isConnectors: (directory: string, file: string) => Effect.Effect<boolean, StorageError>
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
      const privateMode = isReadByConnector(jobs.podSecurityContext) ? PRIVATE_MODE : Files.OPEN_MODE

      const prepare = Effect.fn("SharedStorage.prepare")(function* (
        directory: string,
        jobFiles: ReadonlyArray<JobFile>
      ) {
        yield* makeDirectory(inside(directory))
        for (const file of jobFiles) {
          const target = inside(directory, file.name)
          const isKept = file.keepExisting === true
          if (isKept && (yield* isConnectors(directory, file.name))) continue
          // The mark first: without it what follows would count as the connector's own.
          if (isKept) yield* writeWhole(markOf(target), sha256(file.content))
          yield* writeWhole(target, file.content, file.isPrivate === true ? privateMode : Files.OPEN_MODE)
        }
      })

      const readJson = (directory: string, file: string) =>
        Effect.gen(function* () {
          const found = yield* files.read(directory, file)
          if (Option.isNone(found)) return Option.none<JsonFile>()
          return Option.some(yield* parseObject(inside(directory, file), found.value))
        }).pipe(Effect.withSpan("SharedStorage.readJson"))

      const isConnectors = (directory: string, file: string) =>
        Effect.gen(function* () {
          const found = yield* readJson(directory, file).pipe(
            Effect.catchTag("InvalidFile", () => Effect.succeed(Option.none<JsonFile>()))
          )
          if (Option.isNone(found)) return false
          const written = yield* files
            .read(directory, markOf(file))
            .pipe(Effect.catchTag("InvalidFile", () => Effect.succeed(Option.none<string>())))
          return Option.getOrUndefined(written) !== sha256(found.value.text)
        })

      const hasDirectory = (directory: string) => {
        const folder = inside(directory)
        return attempt("look for", folder, fs.exists(folder))
      }

      const isInUse = attempt("list", root, fs.readDirectory(root)).pipe(
        Files.noneIfMissing,
        Effect.map((names) => Option.getOrElse(names, () => []).some((name) => !name.startsWith(".olake-")))
      )

      const remove = (directory: string, names: ReadonlyArray<string>) =>
        Effect.forEach(
          names,
          (name) => {
            const target = inside(directory, name)
            return attempt("remove", target, fs.remove(target, { force: true }))
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
        yield* files.plainFile(directory, target).pipe(Files.noneIfMissing)
        yield* attempt(
          "write",
          target,
          fs.writeFileString(target, lines, { flag: "a", mode: Files.OPEN_MODE })
        )
      })

      // One probe at a time, and a hung one is not repeated: each would hold one of libuv's few threads.
      const oneProbe = yield* Semaphore.make(1)
      let probed = { at: Number.NEGATIVE_INFINITY, ok: false }
      const isWritable = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        if (now - probed.at < PROBE_AGE) return probed.ok
        const target = inside(`.olake-worker-${kubernetes.podName}`)
        const write = fs
          .writeFileString(target, "ok")
          .pipe(Effect.andThen(fs.remove(target, { force: true })))
        const fiber = yield* Effect.forkDetach(
          oneProbe
            .withPermitsIfAvailable(1)(Effect.isSuccess(write))
            .pipe(
              Effect.flatMap((ran) =>
                Effect.map(Clock.currentTimeMillis, (at) => {
                  if (Option.isSome(ran)) probed = { at, ok: ran.value }
                  return Option.getOrElse(ran, () => false)
                })
              )
            )
        )
        return Option.getOrElse(yield* Effect.timeoutOption(Fiber.join(fiber), PROBE_LIMIT), () => false)
      })

      return SharedStorage.of({
        prepare,
        write: (directory, file, content) => writeWhole(inside(directory, file), content),
        read: files.read,
        glance: files.glance,
        readJson,
        remove,
        removeDirectory,
        isConnectors,
        hasDirectory,
        isInUse,
        connectorLog: ConnectorLogs.make(files),
        appendWorkerLog,
        sweep: LogRetention.make(files),
        tryWrite: tryWrite(files, `.olake-doctor-${kubernetes.podName}`),
        isWritable
      })
    })
  )
}

/** The root itself first: without its mount, the reason is that it is missing. */
const tryWrite = ({ root, inside, attempt, writeWhole, fs }: Files.Files, name: string) =>
  Effect.gen(function* () {
    const target = inside(name)
    yield* attempt("look at", root, fs.readDirectory(root))
    yield* writeWhole(target, "ok")
    yield* attempt("remove", target, fs.remove(target, { force: true }))
    return yield* Effect.promise(() => statfs(root)).pipe(Effect.map(({ bavail, bsize }) => bavail * bsize))
  })

/** Whether the connector may read what only the worker's user and root may: it runs as root, or as that user. */
const isReadByConnector = ({ runAsUser, runAsNonRoot }: Readonly<Record<string, unknown>> = {}): boolean =>
  runAsUser === undefined ? runAsNonRoot !== true : runAsUser === 0 || runAsUser === process.getuid?.()

/** Beside a file that the connector rewrites: the hash of what the worker wrote. */
const markOf = (target: string): string =>
  path.join(path.dirname(target), `.${path.basename(target)}.written`)
