/** Columns that only newer versions of OLake's UI have. */
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { query } from "./Query.ts"

/** Of the table of jobs; without one of them a job has nothing of that kind. */
export const newerJobColumns = [
  "advanced_settings",
  "available_streams_config",
  "selected_streams_config"
] as const

export interface ColumnRow {
  readonly name: string
  readonly readable: boolean
  readonly writable: boolean
}

/** The table's whole name, as SQL has it. */
export const tableOf = (runMode: string, entity: string): string => `"olake-${runMode}-${entity}"`

/** The table's columns, and what this user may do with them; the table itself is not looked at. */
export const columnsOf = (table: string) =>
  Effect.map(
    SqlClient.SqlClient,
    (sql) => sql<ColumnRow>`
      SELECT attname::text AS name,
             has_column_privilege(attrelid, attnum, 'SELECT') AS readable,
             has_column_privilege(attrelid, attnum, 'UPDATE') AS writable
      FROM pg_attribute WHERE attrelid = to_regclass(${table}) AND NOT attisdropped`
  )

/**
 * Which of the newer columns the table of jobs has now: the UI may add them while the worker runs. Settings that this user
 * may not read count as absent, with a warning. A catalog that it may not read does not: its job would move the wrong
 * streams, so that reading it must fail.
 */
export const newerColumns = Effect.fnUntraced(function* (table: string, operation: string) {
  const columns = yield* query(operation, yield* columnsOf(table))
  const found = newerJobColumns.flatMap((name) => columns.find((column) => column.name === name) ?? [])
  const [settings] = found.filter(({ name, readable }) => name === "advanced_settings" && !readable)
  if (settings !== undefined)
    yield* Effect.logWarning(
      `no right to read column ${settings.name} of ${table}: jobs get no index volume. Grant SELECT on the table.`
    )
  const names = found.filter((column) => column !== settings).map(({ name }) => name)
  return new Set<string>(names)
})
