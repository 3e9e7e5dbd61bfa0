/** The Postgres side of the connector: what tables there are, and their rows in the order of a cursor. */
import { PgClient } from "@effect/sql-pg"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import type { Stream } from "./catalog/Catalog.ts"
import type { SourceConfig } from "./Config.ts"
import { ConnectorError, describe } from "./ConnectorError.ts"

export const layer = (config: SourceConfig) =>
  PgClient.layer({
    host: config.host,
    port: config.port,
    database: config.database,
    username: config.username,
    password: Redacted.make(config.password),
    ssl: config.ssl !== undefined && config.ssl.mode !== "disable",
    connectTimeout: "5 seconds",
    maxConnections: 1,
    applicationName: "olake-connector"
  })

const failed = (what: string) => (cause: unknown) =>
  new ConnectorError({ message: `${what}: ${describe(cause)}` })

const query = <A extends object>(what: string, text: string, params: ReadonlyArray<unknown> = []) =>
  SqlClient.SqlClient.pipe(
    Effect.flatMap((sql) => sql.unsafe<A>(text, params)),
    Effect.mapError(failed(what))
  )

export const ping = query("failed to connect to postgres", "SELECT 1").pipe(Effect.asVoid)

interface Column {
  readonly namespace: string
  readonly table: string
  readonly column: string
  readonly type: string
  readonly not_null: boolean
  readonly is_key: boolean
}

const COLUMNS = `
  SELECT n.nspname::text AS namespace, c.relname::text AS table, a.attname::text AS column,
         format_type(a.atttypid, NULL) AS type, a.attnotnull AS not_null,
         coalesce(a.attnum = ANY (i.indkey), false) AS is_key
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
  WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
  ORDER BY n.nspname, c.relname, a.attnum`

const OLAKE_TYPE: Readonly<Record<string, string>> = {
  smallint: "integer_small",
  integer: "integer",
  bigint: "integer",
  real: "number_small",
  "double precision": "number",
  numeric: "number",
  boolean: "boolean",
  date: "timestamp",
  "timestamp without time zone": "timestamp_micro",
  "timestamp with time zone": "timestamp_micro"
}

const toStream = (columns: ReadonlyArray<Column>): Stream => {
  const [first] = columns
  const key = columns.filter((column) => column.is_key).map((column) => column.column)
  return {
    name: first?.table ?? "",
    namespace: first?.namespace ?? "",
    type_schema: {
      properties: Object.fromEntries(
        columns.map(({ column, type, not_null }) => {
          const olake = OLAKE_TYPE[type] ?? "string"
          return [column, { type: not_null ? [olake] : [olake, "null"], destination_column_name: column }]
        })
      )
    },
    supported_sync_modes: ["full_refresh", "incremental"],
    source_defined_primary_key: key,
    available_cursor_fields: columns.map((column) => column.column),
    ...(key.length === 1 && key[0] !== undefined
      ? { sync_mode: "incremental", cursor_field: key[0] }
      : { sync_mode: "full_refresh" })
  }
}

export const discover = query<Column>("failed to discover streams", COLUMNS).pipe(
  Effect.map((columns) =>
    [...Map.groupBy(columns, (column) => `${column.namespace}.${column.table}`).values()].map(toStream)
  )
)

/** Reads one table behind a cursor. Values travel as text and are cast by Postgres: no precision is lost. */
export interface Reader {
  readonly isInteger: boolean
  /** Rows of the next chunk as JSON texts, and the cursor after them; all rows of a shared cursor value come at once. */
  readonly chunk: (
    after: string | undefined,
    size: number
  ) => Effect.Effect<
    { readonly rows: ReadonlyArray<string>; readonly cursor: string | undefined },
    ConnectorError,
    SqlClient.SqlClient
  >
  readonly remaining: (
    after: string | undefined
  ) => Effect.Effect<number, ConnectorError, SqlClient.SqlClient>
}

const params = (after: string | undefined) => (after === undefined ? [] : [after])

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`

export const reader = Effect.fnUntraced(function* (stream: Stream, field: string) {
  const name = `${stream.namespace}.${stream.name}`
  const failure = `failed to read stream ${name}`
  const types = yield* query<{ readonly type: string }>(
    failure,
    `SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute
     WHERE attrelid = to_regclass($1::text) AND attname = $2::text AND NOT attisdropped`,
    [`${quote(stream.namespace)}.${quote(stream.name)}`, field]
  )
  const type = types[0]?.type
  if (type === undefined) return yield* new ConnectorError({ message: `${failure}: no column ${field}` })
  const table = `${quote(stream.namespace)}.${quote(stream.name)} t`
  const cursor = `t.${quote(field)}`
  const behind = (after: string | undefined) =>
    after === undefined ? `${cursor} IS NOT NULL` : `${cursor} > $1::text::${type}`
  const made: Reader = {
    isInteger: ["smallint", "integer", "bigint"].includes(type),
    chunk: (after, size) =>
      query<{ readonly row: string; readonly cursor: string }>(
        failure,
        `SELECT row_to_json(t)::text AS row, ${cursor}::text AS cursor FROM ${table}
         WHERE ${behind(after)} ORDER BY ${cursor} FETCH FIRST ${Math.ceil(size)} ROWS WITH TIES`,
        params(after)
      ).pipe(Effect.map((rows) => ({ rows: rows.map((row) => row.row), cursor: rows.at(-1)?.cursor }))),
    remaining: (after) =>
      query<{ readonly count: number }>(
        failure,
        `SELECT count(*)::int AS count FROM ${table} WHERE ${behind(after)}`,
        params(after)
      ).pipe(Effect.map((rows) => rows[0]?.count ?? 0))
  }
  return made
})
