/** `stats.json`, rewritten while a sync runs, with OLake's keys. */
import type { ConnectorError } from "./ConnectorError.ts"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as path from "node:path"
import * as ConfigFile from "./ConfigFile.ts"

export interface Stats {
  readonly count: (rows: number, bytes: number) => void
  readonly expect: (rows: number) => void
  readonly synced: () => number
  readonly write: Effect.Effect<void, ConnectorError>
  /** Writes about once a second, for ever. */
  readonly keepWriting: Effect.Effect<never, ConnectorError>
}

export const make = (folder: string): Stats => {
  const started = Date.now()
  let synced = 0
  let bytes = 0
  let expected = 0
  const snapshot = () => {
    const seconds = Math.max((Date.now() - started) / 1000, 0.001)
    const speed = synced / seconds
    return {
      "Writer Threads": 1,
      "Synced Records": synced,
      "Bytes Read": bytes,
      Speed: `${speed.toFixed(2)} rps`,
      "Seconds Elapsed": seconds.toFixed(2),
      "Estimated Remaining Time":
        speed > 0 ? `${((expected - synced) / speed).toFixed(2)} s` : "Not Determined",
      "Memory Usage Bytes": process.memoryUsage.rss(),
      // Of one core, from 0 to 1.
      "CPU Utilization": Math.round((process.cpuUsage().user / 1e6 / process.uptime()) * 10_000) / 10_000
    }
  }
  const write = Effect.suspend(() => ConfigFile.write(path.join(folder, "stats.json"), snapshot()))
  return {
    count: (rows, size) => {
      synced += rows
      bytes += size
    },
    expect: (rows) => {
      expected += rows
    },
    synced: () => synced,
    write,
    keepWriting: write.pipe(Effect.repeat(Schedule.spaced("1 second")), Effect.andThen(Effect.never))
  }
}
