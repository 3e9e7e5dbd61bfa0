/** What Postgres has of OLake's tables, and what this user may do there; reads the catalog, not the tables. */
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { WorkerConfig } from "../Config.ts"
import { columnsOf, newerJobColumns, tableOf } from "./Columns.ts"
import { once } from "./Query.ts"

/** A table's columns that `Jobs.ts` and `Projects.ts` read, and those that they write. */
export interface TableUse {
  readonly entity: string
  readonly reads: ReadonlyArray<string>
  readonly writes: ReadonlyArray<string>
  /** Read where they are there. */
  readonly readsNewer?: ReadonlyArray<string>
  /** What is lost without the table; undefined where nothing works without it. */
  readonly optional?: string
}

export const tables: ReadonlyArray<TableUse> = [
  {
    entity: "job",
    // The last is a system column: which transaction has written the row.
    reads: ["id", "name", "project_id", "source_id", "dest_id", "streams_config", "state", "active", "xmin"],
    readsNewer: newerJobColumns,
    writes: ["state", "active", "updated_at"]
  },
  { entity: "source", reads: ["id", "type", "version", "config"], writes: [] },
  { entity: "destination", reads: ["id", "config"], writes: [] },
  {
    entity: "project-settings",
    reads: ["project_id", "webhook_alert_url"],
    writes: [],
    optional: "alerts of failed syncs"
  }
]

export interface ServerView {
  readonly version: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

export const server = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* once(
    "connect",
    sql<ServerView>`SELECT current_setting('server_version') AS version,
                    (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now`
  )
  return row ?? { version: "unknown", now: 0 }
})

export interface TableView {
  readonly isThere: boolean
  /** Columns that are not there. */
  readonly missing: ReadonlyArray<string>
  /** Columns that are there, but not for this user to read or to write. */
  readonly unreadable: ReadonlyArray<string>
  readonly unwritable: ReadonlyArray<string>
}

export const table = Effect.fnUntraced(function* ({ entity, reads, readsNewer = [], writes }: TableUse) {
  const name = tableOf((yield* WorkerConfig).database.runMode, entity)
  const rows = yield* once(`look at table ${name}`, yield* columnsOf(name))
  const columns = new Map(rows.map((row) => [row.name, row]))
  const wanted = [...new Set([...reads, ...writes])]
  return {
    isThere: rows.length > 0,
    missing: wanted.filter((column) => !columns.has(column)),
    unreadable: [...reads, ...readsNewer].filter((column) => columns.get(column)?.readable === false),
    unwritable: writes.filter((column) => columns.get(column)?.writable === false)
  } satisfies TableView
})

/** RUN_MODEs that have a table of jobs here. */
export const runModes = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* once(
    "look for tables of jobs",
    sql<{ readonly mode: string }>`
      SELECT DISTINCT substring(relname FROM '^olake-(.*)-job$') AS mode FROM pg_class
      WHERE relkind IN ('r', 'p', 'v') AND relname ~ '^olake-.*-job$' ORDER BY 1`
  )
  return rows.map(({ mode }) => mode)
})

/** A config that OLake's UI has encrypted; undefined where there is none. */
export const encryptedConfig = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const { runMode } = (yield* WorkerConfig).database
  const [row] = yield* once(
    "read an encrypted config",
    sql<{ readonly id: number; readonly config: string }>`
      SELECT id::int AS id, config::text AS config FROM ${sql(`olake-${runMode}-source`)}
      WHERE jsonb_typeof(config::jsonb) = 'string' ORDER BY id DESC LIMIT 1`
  )
  return row
})
