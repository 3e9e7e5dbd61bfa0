/**
 * File calls below the shared storage's root: bounded, classified, and never outside of it. What is written appears
 * whole or not at all.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as path from "node:path"
import { WorkerConfig } from "../Config.ts"
import { callSeconds, timed } from "../Metrics.ts"
import { bounded } from "../Schedules.ts"
import { InvalidFile } from "./JsonFile.ts"
import { noneIfMissing, reasonOf, StorageError } from "./StorageError.ts"
import { inTurns } from "./Turns.ts"
import * as Writes from "./Writes.ts"

const seconds = callSeconds(
  "storage_operation_seconds",
  "Seconds that a call of the shared storage took, by operation and result: ok, or why it failed"
)

const LIMIT = "30 seconds"

/** A small file that somebody else rewrites all the time: perhaps half written. */
export interface Glance {
  readonly text: string
  /** Milliseconds since the epoch, by the storage's clock. */
  readonly writtenAt: number
}

export const make = Effect.gen(function* () {
  const fs = yield* inTurns(yield* FileSystem.FileSystem)
  const { storage, kubernetes } = yield* WorkerConfig
  const root = path.resolve(storage.path)

  /** Absolute path of something inside the storage; anything else is a bug of ours. */
  const inside = (...parts: ReadonlyArray<string>): string => {
    const target = path.resolve(root, ...parts)
    if (!target.startsWith(`${root}${path.sep}`)) throw new Error(`${target} is outside the shared storage`)
    return target
  }

  const attempt = <A>(operation: string, target: string, io: Effect.Effect<A, PlatformError>) =>
    io.pipe(
      Effect.mapError((error) => new StorageError({ operation, path: target, ...reasonOf(error) })),
      bounded(LIMIT, (detail) =>
        Effect.fail(new StorageError({ operation, path: target, reason: "TimedOut", detail }))
      ),
      timed(seconds, { operation }, ({ reason }) => reason)
    )

  const { writeWhole, replace, restoreTaken } = Writes.make({
    fs,
    inside,
    attempt,
    worker: kubernetes.podName
  })

  /** Not recursive: without its mount the root is missing, and must not be made on the local disk. */
  const makeDirectory = (folder: string) =>
    attempt(
      "create the directory",
      folder,
      fs.makeDirectory(folder, { mode: 0o755 }).pipe(
        Effect.catchIf(
          (error) => error.reason._tag === "AlreadyExists",
          () => Effect.void
        )
      )
    )

  /** A connector runs as root in its directory: a link it left there must not lead the worker out. */
  const realPathInside = Effect.fnUntraced(function* (directory: string, target: string) {
    const real = yield* attempt("read", target, fs.realPath(target))
    const folder = yield* attempt("read", target, fs.realPath(inside(directory)))
    if (!real.startsWith(`${folder}${path.sep}`)) {
      return yield* new InvalidFile({ path: target, problem: "is a link out of the run's directory" })
    }
    return real
  })

  /** The same of a file that answers: to open a pipe would wait for its other end. */
  const plainFile = Effect.fnUntraced(function* (directory: string, target: string) {
    const real = yield* realPathInside(directory, target)
    const { type } = yield* attempt("read", target, fs.stat(real))
    if (type !== "File") return yield* new InvalidFile({ path: target, problem: "is no plain file" })
    return real
  })

  /** None where the file is not there. */
  const read = (directory: string, file: string) => {
    const target = inside(directory, file)
    return plainFile(directory, target).pipe(
      Effect.flatMap((real) => attempt("read", target, fs.readFileString(real))),
      noneIfMissing
    )
  }

  /** None where the file is not there, is no plain one, or holds more than `most` bytes. */
  const glance = Effect.fnUntraced(
    function* (directory: string, file: string, most: number) {
      const target = inside(directory, file)
      const real = yield* realPathInside(directory, target)
      const { type, size, mtime } = yield* attempt("read", target, fs.stat(real))
      if (type !== "File" || size > most) return Option.none<Glance>()
      const text = yield* attempt("read", target, fs.readFileString(real))
      const writtenAt = Option.match(mtime, { onNone: () => 0, onSome: (time) => time.getTime() })
      return Option.some({ text, writtenAt })
    },
    (effect) => Effect.map(noneIfMissing(effect), Option.flatten)
  )

  return {
    fs,
    root,
    inside,
    attempt,
    writeWhole,
    replace,
    restoreTaken,
    makeDirectory,
    realPathInside,
    plainFile,
    read,
    glance
  }
})

export type Files = Effect.Success<typeof make>
