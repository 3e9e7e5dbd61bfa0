/** The logs that connectors write into their runs' directories. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as path from "node:path"
import type { Files } from "./Files.ts"
import { noneIfMissing } from "./StorageError.ts"

/** Of a log no more than its end is read, in bytes. */
const LOG_TAIL = 256 * 1024

export const make = ({ fs, inside, attempt, plainFile }: Files) =>
  Effect.fn("SharedStorage.connectorLog")(function* (directory: string, since?: number, most = LOG_TAIL) {
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
    return yield* plainFile(directory, target).pipe(
      Effect.flatMap((real) => attempt("read", target, readTail(fs, real, most))),
      noneIfMissing,
      Effect.catchTag("InvalidFile", () => Effect.succeed(Option.none<string>()))
    )
  })

/** Connectors name their log after the second in which they start, UTC: `sync_2026-11-23_17-00-00`. */
const isSince = (name: string, since: number): boolean => {
  const [, date, h, m, s] = /^sync_(\d{4}-\d\d-\d\d)_(\d\d)-(\d\d)-(\d\d)$/.exec(name) ?? []
  return date !== undefined && Date.parse(`${date}T${h}:${m}:${s}Z`) >= since - 2_000
}

const readTail = (
  fs: FileSystem.FileSystem,
  target: string,
  most: number
): Effect.Effect<string, PlatformError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* fs.open(target)
      const { size } = yield* file.stat
      const length = Math.min(Number(size), most)
      const buffer = new Uint8Array(length)
      const read = yield* file.read(buffer, { position: BigInt(Number(size) - length) })
      return new TextDecoder().decode(buffer.subarray(0, read))
    })
  )
