/** OLake's own metadata tables as its UI creates them (v1: beego, v2: gorm), and the rows a worker works on. */
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"

export type TablesVersion = "v1" | "v2"

const STAMPS = {
  v1: "created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, deleted_at timestamptz",
  v2: "created_at timestamptz, updated_at timestamptz, deleted_at timestamptz"
}

const v1 = (mode: string): ReadonlyArray<string> => [
  `CREATE TABLE "olake-${mode}-source" (${STAMPS.v1}, id bigserial PRIMARY KEY,
     name text NOT NULL DEFAULT '', project_id text NOT NULL DEFAULT '', config jsonb NOT NULL DEFAULT '{}',
     version text NOT NULL DEFAULT '', created_by_id integer NOT NULL, updated_by_id integer NOT NULL,
     type text NOT NULL DEFAULT '')`,
  `CREATE TABLE "olake-${mode}-destination" (${STAMPS.v1}, id bigserial PRIMARY KEY,
     name text NOT NULL DEFAULT '', project_id text NOT NULL DEFAULT '', dest_type text NOT NULL DEFAULT '',
     version text NOT NULL DEFAULT '', config jsonb NOT NULL DEFAULT '{}', created_by_id integer NOT NULL,
     updated_by_id integer NOT NULL)`,
  `CREATE TABLE "olake-${mode}-job" (${STAMPS.v1}, id bigserial PRIMARY KEY,
     name varchar(100) NOT NULL DEFAULT '', source_id integer NOT NULL, dest_id integer NOT NULL,
     active bool NOT NULL DEFAULT FALSE, frequency text NOT NULL DEFAULT '', streams_config jsonb NOT NULL DEFAULT '{}',
     state jsonb NOT NULL DEFAULT '{}', created_by_id integer NOT NULL, updated_by_id integer NOT NULL,
     project_id text NOT NULL DEFAULT '')`
]

const v2 = (mode: string): ReadonlyArray<string> => [
  `CREATE TABLE "olake-${mode}-user" (${STAMPS.v2}, id bigserial PRIMARY KEY,
     username varchar(100), password varchar(100), email varchar(100))`,
  `INSERT INTO "olake-${mode}-user" (created_at, updated_at, username) VALUES (now(), now(), 'admin')`,
  `CREATE TABLE "olake-${mode}-source" (${STAMPS.v2}, id bigserial PRIMARY KEY,
     name varchar(255), project_id varchar(255), config jsonb, version varchar(255),
     created_by_id bigint REFERENCES "olake-${mode}-user" (id), updated_by_id bigint REFERENCES "olake-${mode}-user" (id),
     type varchar(255))`,
  `CREATE TABLE "olake-${mode}-destination" (${STAMPS.v2}, id bigserial PRIMARY KEY,
     name varchar(255), project_id varchar(255), dest_type varchar(255), version varchar(255), config jsonb,
     created_by_id bigint REFERENCES "olake-${mode}-user" (id), updated_by_id bigint REFERENCES "olake-${mode}-user" (id))`,
  `CREATE TABLE "olake-${mode}-project-settings" (${STAMPS.v2}, id bigserial PRIMARY KEY,
     project_id varchar(255) UNIQUE, webhook_alert_url varchar(512))`,
  `CREATE TABLE "olake-${mode}-job" (${STAMPS.v2}, id bigserial PRIMARY KEY,
     name varchar(100), source_id bigint REFERENCES "olake-${mode}-source" (id),
     dest_id bigint REFERENCES "olake-${mode}-destination" (id), active boolean, frequency varchar(255),
     streams_config jsonb, state jsonb, advanced_settings jsonb, created_by_id bigint, updated_by_id bigint,
     project_id varchar(255))`
]

export interface SourceRow {
  readonly type: string
  readonly version: string
  /** JSON text, as the UI stores it: an object, or a string where it is encrypted. */
  readonly config: string
}

export interface JobRow {
  readonly source: number
  readonly destination: number
  /** JSON text of streams.json. */
  readonly streams: string
  /** JSON text; `{}` for a job that has never run. */
  readonly state?: string
  readonly project?: string
}

const CREATED = "created_at, updated_at, created_by_id, updated_by_id"

/** The tables of one RUN_MODE in the database of the given client. */
export const olakeTables = Effect.fnUntraced(function* (mode: string, version: TablesVersion) {
  const sql = yield* SqlClient.SqlClient
  yield* Effect.forEach({ v1, v2 }[version](mode), (statement) => sql.unsafe(statement), { discard: true })
  const insert = (table: string, columns: string, values: string, params: ReadonlyArray<unknown>) =>
    sql
      .unsafe<{ readonly id: number }>(
        `INSERT INTO "olake-${mode}-${table}" (${CREATED}, ${columns}) VALUES (now(), now(), 1, 1, ${values})
         RETURNING id::int AS id`,
        params
      )
      .pipe(Effect.map((rows) => rows[0]?.id ?? 0))
  return {
    insertSource: (row: SourceRow) =>
      insert("source", "name, project_id, type, version, config", "'shop', '123', $1, $2, $3::text::jsonb", [
        row.type,
        row.version,
        row.config
      ]),
    insertDestination: (row: SourceRow) =>
      insert(
        "destination",
        "name, project_id, dest_type, version, config",
        "'files', '123', $1, $2, $3::text::jsonb",
        [row.type, row.version, row.config]
      ),
    insertJob: (row: JobRow) =>
      insert(
        "job",
        "name, frequency, active, source_id, dest_id, streams_config, state, project_id",
        "'shop to files', '1-hours', TRUE, $1::int, $2::int, $3::text::jsonb, $4::text::jsonb, $5",
        [row.source, row.destination, row.streams, row.state ?? "{}", row.project ?? "123"]
      ),
    /** What a UI with split catalogs adds when it starts. */
    addSplitCatalogs: sql.unsafe(
      `ALTER TABLE "olake-${mode}-job" ADD COLUMN IF NOT EXISTS available_streams_config jsonb,
         ADD COLUMN IF NOT EXISTS selected_streams_config jsonb`
    ),
    /** Both halves of a split catalog, and what is left of the whole one; JSON texts. */
    setCatalog: (id: number, streams: string | null, available: string | null, selected: string | null) =>
      sql.unsafe(
        `UPDATE "olake-${mode}-job" SET streams_config = $2::text::jsonb, available_streams_config = $3::text::jsonb,
           selected_streams_config = $4::text::jsonb WHERE id = $1::int`,
        [id, streams, available, selected]
      ),
    /** v2 only; JSON text. */
    setAdvancedSettings: (id: number, settings: string) =>
      sql.unsafe(`UPDATE "olake-${mode}-job" SET advanced_settings = $2::text::jsonb WHERE id = $1::int`, [
        id,
        settings
      ]),
    setActive: (id: number, active: boolean) =>
      sql.unsafe(`UPDATE "olake-${mode}-job" SET active = $2 WHERE id = $1::int`, [id, active]),
    isActive: (id: number) =>
      sql
        .unsafe<{ readonly active: boolean }>(`SELECT active FROM "olake-${mode}-job" WHERE id = $1::int`, [
          id
        ])
        .pipe(Effect.map((rows) => rows[0]?.active)),
    /** Where a project's alerts go; v2 only. */
    setWebhook: (project: string, url: string) =>
      sql.unsafe(
        `INSERT INTO "olake-${mode}-project-settings" (created_at, updated_at, project_id, webhook_alert_url)
         VALUES (now(), now(), $1, $2) ON CONFLICT (project_id) DO UPDATE SET webhook_alert_url = $2`,
        [project, url]
      ),
    /** The job's state exactly as Postgres prints it; undefined if there is no such job. */
    jobState: (id: number) =>
      sql
        .unsafe<{ readonly state: string }>(
          `SELECT state::text AS state FROM "olake-${mode}-job" WHERE id = $1::int`,
          [id]
        )
        .pipe(Effect.map((rows) => rows[0]?.state))
  }
})
