/** Reads a job with its source and destination, and saves its state: OLake's tables, this worker's only SQL. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { WorkerConfig } from "../Config.ts"
import { type Catalog, type CatalogColumns, catalogOf } from "../olake/Catalog.ts"
import type { JobFacts } from "../olake/telemetry/Payload.ts"
import { factsOf } from "./JobFacts.ts"
import { newerColumns, tableOf } from "./Columns.ts"
import { type DatabaseError, query } from "./Query.ts"

/** A job's row joined with its source and destination; JSON columns as the database's own text. */
export interface JobRow {
  readonly sourceType: string
  readonly sourceVersion: string
  readonly sourceConfig: string
  readonly destinationConfig: string
  readonly catalog: Catalog
  readonly state: string
  /** JSON text; empty where the job has none. */
  readonly advancedSettings: string
  /** Another after every write to the job's row, whoever made it. */
  readonly version: string
}

export interface JobSummary {
  readonly name: string
  readonly projectId: string
  /** False where somebody has paused the job. */
  readonly active: boolean
}

export class JobNotFound extends Schema.TaggedError<JobNotFound>()("JobNotFound", {
  jobId: Schema.Int,
  table: Schema.String
}) {
  override get message(): string {
    return `JobID: job ${this.jobId} is not in table ${this.table}, or its source or destination is missing. Was it deleted? Is RUN_MODE the same as the UI's?`
  }
  readonly isRetryable = false
}

/** A column that a sync cannot do without is empty. */
export class IncompleteJob extends Schema.TaggedError<IncompleteJob>()("IncompleteJob", {
  jobId: Schema.Int,
  columns: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `Job ${this.jobId} has no ${this.columns.join(", ")}. Save the job again in the UI.`
  }
  readonly isRetryable = false
}

type Nullable<A> = { readonly [K in keyof A]: A[K] | null }

/** As the query has it. */
type Columns = Nullable<Omit<JobRow, "catalog">> & CatalogColumns

export class Jobs extends Context.Service<
  Jobs,
  {
    readonly read: (jobId: number) => Effect.Effect<JobRow, JobNotFound | IncompleteJob | DatabaseError>
    /** What people know a job by; undefined where it is no longer there. */
    readonly summary: (jobId: number) => Effect.Effect<JobSummary | undefined, DatabaseError>
    /** What telemetry says of a job; undefined where it is no longer there. */
    readonly facts: (jobId: number) => Effect.Effect<JobFacts | undefined, DatabaseError>
    /** The version that the job's row has now; undefined where it is no longer there. */
    readonly versionOf: (jobId: number) => Effect.Effect<string | undefined, DatabaseError>
    /**
     * Saves JSON text as it is, where nobody has written to the row since it had that version; whether the row has that
     * state now.
     * `activates`: whether the job counts as active from now on, as the first contract has it.
     */
    readonly saveState: (
      jobId: number,
      state: string,
      options: { readonly activates: boolean; readonly version: string }
    ) => Effect.Effect<boolean, DatabaseError>
  }
>()("olake-worker/database/Jobs") {
  static readonly layer = Layer.effect(
    Jobs,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { database } = yield* WorkerConfig
      const tableName = (entity: string) => `olake-${database.runMode}-${entity}`
      const job = sql(tableName("job"))

      const read = Effect.fn("Jobs.read")(function* (jobId: number) {
        const operation = `read job ${jobId}`
        const newer = yield* newerColumns(tableOf(database.runMode, "job"), operation).pipe(
          Effect.provideService(SqlClient.SqlClient, sql)
        )
        const text = (column: string) => sql.literal(newer.has(column) ? `j.${column}::text` : "NULL")
        const rows = yield* query(
          operation,
          sql<Columns>`
            SELECT s.type AS "sourceType", s.version AS "sourceVersion", s.config::text AS "sourceConfig",
                   d.config::text AS "destinationConfig",
                   j.streams_config::text AS "streamsConfig", coalesce(j.state::text, '') AS state,
                   ${text("available_streams_config")} AS "availableStreams",
                   ${text("selected_streams_config")} AS "selectedStreams",
                   ${text("advanced_settings")} AS "advancedSettings",
                   j.xmin::text AS version
            FROM ${job} j
            JOIN ${sql(tableName("source"))} s ON j.source_id = s.id
            JOIN ${sql(tableName("destination"))} d ON j.dest_id = d.id
            WHERE j.id = ${jobId}`
        )
        const row = rows[0]
        if (row === undefined) return yield* new JobNotFound({ jobId, table: tableName("job") })
        const isOlder = !newer.has("available_streams_config") && !newer.has("selected_streams_config")
        return yield* complete(
          jobId,
          isOlder ? { ...row, availableStreams: undefined, selectedStreams: undefined } : row
        )
      })

      const summary = Effect.fn("Jobs.summary")(function* (jobId: number) {
        const rows = yield* query(
          `look at job ${jobId}`,
          sql<JobSummary>`
            SELECT coalesce(name, '') AS name, coalesce(project_id, '') AS "projectId", coalesce(active, true) AS active
            FROM ${job} WHERE id = ${jobId}`
        )
        return rows[0]
      })

      const versionOf = Effect.fn("Jobs.versionOf")(function* (jobId: number) {
        const rows = yield* query(
          // In people's words: nobody asks for it but to save the state.
          `save the state of job ${jobId}`,
          sql<Pick<JobRow, "version">>`SELECT xmin::text AS version FROM ${job} WHERE id = ${jobId}`
        )
        return rows[0]?.version
      })

      const saveState = Effect.fn("Jobs.saveState")(function* (
        jobId: number,
        state: string,
        { activates, version }: { readonly activates: boolean; readonly version: string }
      ) {
        const updated = yield* query(
          `save the state of job ${jobId}`,
          sql`
            UPDATE ${job} SET state = ${state}::jsonb, active = (active OR ${activates}), updated_at = NOW()
            WHERE id = ${jobId} AND xmin::text = ${version} RETURNING 1`
        )
        if (updated.length > 0) return true
        // The row has another version: perhaps by this very write, whose answer was lost and which was tried again.
        const ours = yield* query(
          `save the state of job ${jobId}`,
          sql`SELECT 1 FROM ${job} WHERE id = ${jobId} AND state = ${state}::jsonb`
        )
        return ours.length > 0
      })

      return Jobs.of({ read, summary, facts: factsOf(sql, tableName), versionOf, saveState })
    })
  )
}

const REQUIRED = {
  sourceType: "source type",
  sourceVersion: "source version",
  sourceConfig: "source config",
  destinationConfig: "destination config"
} as const

const complete = (jobId: number, row: Columns): Effect.Effect<JobRow, IncompleteJob> => {
  const keys = Object.keys(REQUIRED) as ReadonlyArray<keyof typeof REQUIRED> // SAFETY: the keys of the constant above
  const catalog = catalogOf(row)
  const columns = [
    ...keys.filter((key) => (row[key] ?? "") === "").map((key) => REQUIRED[key]),
    ...("form" in catalog ? [] : catalog)
  ]
  if (columns.length > 0 || !("form" in catalog)) return Effect.fail(new IncompleteJob({ jobId, columns }))
  const text = (value: string | null) => value ?? ""
  return Effect.succeed({
    sourceType: text(row.sourceType),
    sourceVersion: text(row.sourceVersion),
    sourceConfig: text(row.sourceConfig),
    destinationConfig: text(row.destinationConfig),
    catalog,
    advancedSettings: text(row.advancedSettings),
    state: text(row.state),
    version: text(row.version)
  })
}
