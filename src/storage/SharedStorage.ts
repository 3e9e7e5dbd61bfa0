/**
 * The volume that the worker, OLake's UI and the connectors share. Files appear whole or not at all, nothing
 * leaves a run's directory, and every call is bounded, so that a hung mount is an error and not a hang.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Semaphore from "effect/Semaphore"
import * as path from "node:path"
import { WorkerConfig } from "../Config.ts"
import type { JobFile } from "../olake/Job.ts"
import { sha256 } from "../olake/Workdir.ts"
import { InvalidFile, type JsonFile, parseObject } from "./JsonFile.ts"
import { reasonOf, StorageError } from "./StorageError.ts"

const LIMIT = "30 seconds"
const PROBE_LIMIT = "2 seconds"
/** How long one probe's answer is good for, in milliseconds. */
const PROBE_AGE = 5_000
const LOG_TAIL = 256 * 1024

export class SharedStorage extends Context.Service<
  SharedStorage,
  {
    /** Makes the run's directory and writes its files. */
    readonly prepare: (directory: string, files: ReadonlyArray<JobFile>) => Effect.Effect<void, StorageError>
    /** None where the file is not there; fails where it is no JSON object. */
    readonly readJson: (
      directory: string,
      file: string
    ) => Effect.Effect<Option.Option<JsonFile>, StorageError | InvalidFile>
    /** Whether the file is there, valid, and the connector's own: not what `prepare` has put there. */
    readonly isConnectors: (directory: string, file: string) => Effect.Effect<boolean, StorageError>
    readonly hasDirectory: (directory: string) => Effect.Effect<boolean, StorageError>
    /** The end of the newest log that the connector has written, none of before `since` (ms of the epoch). */
    readonly connectorLog: (
      directory: string,
      since?: number
    ) => Effect.Effect<Option.Option<string>, StorageError>
    /** Whether a file can be written right now. */
    readonly isWritable: Effect.Effect<boolean>
  }
>()("olake-worker/storage/SharedStorage") {
  static readonly layer = Layer.effect(
    SharedStorage,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { storage, kubernetes } = yield* WorkerConfig
      const root = path.resolve(storage.path)

      /** Absolute path of something inside the storage; anything else is a bug of ours. */
      const inside = (...parts: ReadonlyArray<string>): string => {
        const target = path.resolve(root, ...parts)
        if (!target.startsWith(`${root}${path.sep}`))
          throw new Error(`${target} is outside the shared storage`)
        return target
      }

      const attempt = <A>(operation: string, target: string, io: Effect.Effect<A, PlatformError>) =>
        io.pipe(
          Effect.mapError((error) => new StorageError({ operation, path: target, ...reasonOf(error) })),
          Effect.timeoutOrElse({
            duration: LIMIT,
            orElse: () =>
              Effect.fail(
                new StorageError({
                  operation,
                  path: target,
                  reason: "TimedOut",
                  detail: `no answer in ${LIMIT}`
                })
              )
          })
        )

      /** Another process sees the old file or the new one, never a part. */
      const writeWhole = (target: string, content: string) =>
        Effect.gen(function* () {
          const draft = `${target}.${kubernetes.podName}.tmp`
          yield* fs.writeFileString(draft, content, { mode: 0o644 })
          yield* fs.chmod(draft, 0o644)
          yield* fs.rename(draft, target)
        })

      const prepare = Effect.fn("SharedStorage.prepare")(function* (
        directory: string,
        files: ReadonlyArray<JobFile>
      ) {
        const folder = inside(directory)
        // Not recursive: without its mount the root is missing, and must not be made on the local disk.
        yield* attempt(
          "create the directory",
          folder,
          fs.makeDirectory(folder, { mode: 0o755 }).pipe(
            Effect.catchIf(
              (error) => error.reason._tag === "AlreadyExists",
              () => Effect.void
            )
          )
        )
        for (const file of files) {
          const target = inside(directory, file.name)
          if (file.keepExisting === true && (yield* isConnectors(directory, file.name))) continue
          yield* attempt("write", target, writeWhole(target, file.content))
          if (file.keepExisting === true) {
            const mark = markOf(target)
            yield* attempt("write", mark, writeWhole(mark, sha256(file.content)))
          }
        }
      })

      /** A connector runs as root in its directory: a link it left there must not lead the worker out. */
      const readInside = (directory: string, target: string) =>
        Effect.gen(function* () {
          const real = yield* attempt("read", target, fs.realPath(target))
          const folder = yield* attempt("read", target, fs.realPath(inside(directory)))
          if (!real.startsWith(`${folder}${path.sep}`)) {
            return yield* new InvalidFile({ path: target, problem: "is a link out of the run's directory" })
          }
          return real
        })

      const readJson = (directory: string, file: string) =>
        Effect.gen(function* () {
          const target = inside(directory, file)
          const found = yield* readInside(directory, target).pipe(
            Effect.flatMap((real) => attempt("read", target, fs.readFileString(real))),
            Effect.map(Option.some),
            Effect.catchTag("StorageError", noneIfMissing)
          )
          if (Option.isNone(found)) return Option.none<JsonFile>()
          return Option.some(yield* parseObject(target, found.value))
        }).pipe(Effect.withSpan("SharedStorage.readJson"))

      const isConnectors = (directory: string, file: string) =>
        Effect.gen(function* () {
          const found = yield* readJson(directory, file).pipe(
            Effect.catchTag("InvalidFile", () => Effect.succeed(Option.none<JsonFile>()))
          )
          if (Option.isNone(found)) return false
          const mark = markOf(inside(directory, file))
          const written = yield* attempt("read", mark, fs.readFileString(mark)).pipe(
            Effect.map(Option.some),
            Effect.catchTag("StorageError", noneIfMissing)
          )
          return Option.getOrUndefined(written) !== sha256(found.value.text)
        })

      const hasDirectory = (directory: string) => {
        const folder = inside(directory)
        return attempt("look for", folder, fs.exists(folder))
      }

      const connectorLog = Effect.fn("SharedStorage.connectorLog")(function* (
        directory: string,
        since?: number
      ) {
        const logs = inside(directory, "logs")
        const runs = yield* attempt("list", logs, fs.readDirectory(logs)).pipe(
          Effect.catchIf(
            (error) => error.reason === "NotFound",
            () => Effect.succeed([])
          )
        )
        const newest = runs
          .filter((name) => name.startsWith("sync_") && (since === undefined || isSince(name, since)))
          .toSorted()
          .at(-1)
        if (newest === undefined) return Option.none<string>()
        const target = path.join(logs, newest, "olake.log")
        return yield* readInside(directory, target).pipe(
          Effect.flatMap((real) => attempt("read", target, readTail(fs, real))),
          Effect.map(Option.some),
          Effect.catchTag("InvalidFile", () => Effect.succeed(Option.none<string>())),
          Effect.catchTag("StorageError", noneIfMissing)
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

      return SharedStorage.of({ prepare, readJson, isConnectors, hasDirectory, connectorLog, isWritable })
    })
  )
}

/** Connectors name their log after the second in which they start, UTC: `sync_2026-11-23_17-00-00`. */
const isSince = (name: string, since: number): boolean => {
  const [, date, h, m, s] = /^sync_(\d{4}-\d\d-\d\d)_(\d\d)-(\d\d)-(\d\d)$/.exec(name) ?? []
  return date !== undefined && Date.parse(`${date}T${h}:${m}:${s}Z`) >= since - 2_000
}

/** Beside a file that the connector rewrites: the hash of what the worker wrote. */
const markOf = (target: string): string =>
  path.join(path.dirname(target), `.${path.basename(target)}.written`)

const noneIfMissing = (error: StorageError) =>
  error.reason === "NotFound" ? Effect.succeed(Option.none<string>()) : Effect.fail(error)

const readTail = (fs: FileSystem.FileSystem, target: string): Effect.Effect<string, PlatformError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* fs.open(target)
      const { size } = yield* file.stat
      const length = Math.min(Number(size), LOG_TAIL)
      const buffer = new Uint8Array(length)
      const read = yield* file.read(buffer, { position: BigInt(Number(size) - length) })
      return new TextDecoder().decode(buffer.subarray(0, read))
    })
  )
