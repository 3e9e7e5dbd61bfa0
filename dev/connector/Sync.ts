/**
 * `sync`: moves the rows behind each stream's cursor into JSON Lines files. Rows are on disk before the
 * state names them. An interruption (SIGTERM) lets the chunk in flight finish and keeps its state.
 */
import * as Effect from "effect/Effect"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import * as Catalog from "./catalog/Catalog.ts"
import * as CatalogFiles from "./catalog/CatalogFiles.ts"
import type { CommandLine } from "./CommandLine.ts"
import * as ConfigFile from "./ConfigFile.ts"
import { DestinationConfig, SourceConfig } from "./Config.ts"
import { ConnectorError, describe } from "./ConnectorError.ts"
import { ConnectorLog } from "./ConnectorLog.ts"
import * as Source from "./Source.ts"
import * as State from "./State.ts"
import * as Stats from "./Stats.ts"

/** A throttled sync works in chunks of this long, so that it advances visibly and stops soon. */
const TICK_SECONDS = 0.1

export const sync = Effect.fn("sync")(function* ({ flags, folder }: CommandLine) {
  const log = yield* ConnectorLog
  const key = flags["encryption-key"]
  const source = yield* ConfigFile.read(flags.config, "config", SourceConfig, key)
  const destination = yield* ConfigFile.read(flags.destination, "destination", DestinationConfig, key)
  const catalog = yield* CatalogFiles.required(flags)
  const initial =
    flags.state === undefined ? State.empty : yield* ConfigFile.read(flags.state, "state", State.State)
  const { streams, missing } = Catalog.selection(catalog)
  if (missing.length > 0) {
    return yield* new ConnectorError({ message: `selected streams not found: ${missing.join(", ")}` })
  }
  const target = path.resolve(folder, ConfigFile.mounted(destination.writer.local_path ?? "data"))
  const stats = Stats.make(folder)
  const progress = { state: initial }
  const save = Effect.suspend(() =>
    progress.state.streams.length === 0
      ? Effect.void
      : ConfigFile.write(path.join(folder, "state.json"), progress.state)
  )
  yield* log.info(`syncing ${streams.length} streams from ${source.host}:${source.port}/${source.database}`)
  yield* Effect.forEach(streams, (stream) => move({ stream, source, target, progress, save, stats }), {
    discard: true
  }).pipe(
    Effect.provide(Source.layer(source)),
    Effect.raceFirst(stats.keepWriting),
    Effect.ensuring(Effect.ignore(Effect.andThen(save, stats.write))),
    Effect.onInterrupt(() => log.info("Received a signal, state saved; stopping"))
  )
  return yield* log.info(`Total records synced: ${stats.synced()}`)
})

interface Move {
  readonly stream: Catalog.Stream
  readonly source: SourceConfig
  readonly target: string
  readonly progress: { state: State.State }
  readonly save: Effect.Effect<void, ConnectorError>
  readonly stats: Stats.Stats
}

const move = Effect.fn("move")(function* ({ stream, source, target, progress, save, stats }: Move) {
  const log = yield* ConnectorLog
  const name = `${stream.namespace}.${stream.name}`
  const isIncremental = stream.sync_mode === "incremental"
  const field = stream.cursor_field ?? stream.source_defined_primary_key[0]
  if (field === undefined) return yield* new ConnectorError({ message: `stream ${name} has no cursor field` })
  const reader = yield* Source.reader(stream, field)
  const rate = source.throttle_rows_per_second
  const size =
    rate === undefined
      ? source.chunk_size
      : Math.min(source.chunk_size, Math.max(1, Math.floor(rate * TICK_SECONDS)))
  const append = yield* appender(path.join(target, stream.namespace, stream.name))
  let cursor = isIncremental ? State.cursorOf(progress.state, stream, field) : undefined
  stats.expect(yield* reader.remaining(cursor))
  yield* log.info(`reading ${name} behind ${field} ${cursor ?? "(start)"}`)
  while (true) {
    const chunk = yield* reader.chunk(cursor, size)
    const value = chunk.cursor
    if (value === undefined) break
    cursor = value
    yield* Effect.uninterruptible(
      Effect.gen(function* () {
        const text = `${chunk.rows.join("\n")}\n`
        yield* append(text)
        stats.count(chunk.rows.length, text.length)
        if (isIncremental) {
          const { isInteger } = reader
          progress.state = State.advance(progress.state, stream, { field, value, isInteger })
          yield* save
        }
      })
    )
    if (rate !== undefined) yield* Effect.sleep(`${(chunk.rows.length / rate) * 1000} millis`)
  }
  return yield* log.info(`finished ${name}`)
})

const failed = (cause: unknown) =>
  new ConnectorError({ message: `failed to write to the destination: ${describe(cause)}` })

/** One file for each stream and run, made with its first rows. */
const appender = Effect.fnUntraced(function* (dir: string) {
  const file = path.join(dir, `${new Date().toISOString().replaceAll(/[:.]/g, "-")}_${process.pid}.jsonl`)
  yield* Effect.tryPromise({ try: () => fs.mkdir(dir, { recursive: true }), catch: failed })
  return (text: string) => Effect.tryPromise({ try: () => fs.appendFile(file, text), catch: failed })
})
