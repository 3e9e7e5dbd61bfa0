/** Reads a job with its source and destination, and saves its state: OLake's tables, this worker's only SQL. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { WorkerConfig } from "../Config.ts"

/** A job's row joined with its source and destination; JSON columns as the database's own text. */
export interface JobRow {
  readonly name: string
  readonly projectId: string
  readonly sourceType: string
  readonly sourceVersion: string
  readonly sourceConfig: string
  readonly destinationType: string
  readonly destinationConfig: string
  readonly streamsConfig: string
  readonly state: string
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

export class DatabaseError extends Schema.TaggedError<DatabaseError>()("DatabaseError", {
  operation: Schema.String,
  reason: Schema.String,
  detail: Schema.String,
  /** SQLSTATE; empty where the server said none. */
  code: Schema.String,
  isRetryable: Schema.Boolean
}) {
  override get message(): string {
    return `Postgres: cannot ${this.operation}: ${this.reason}: ${this.detail}`
  }
}

/**
 * SQLSTATEs that pass, besides those the driver knows: resources (53), a server that stops, starts or fails over (57P0x,
 * 25006), and what an operator repairs while a sync must not be lost: passwords (28), rights (42501), the database (3D).
 */
const PASSING = /^(?:53\w{3}|57P0\d|25006|28\w{3}|42501|3D\w{3}|08\w{3})$/

/** Classified here, where the driver's errors enter. */
const fromSql =
  (operation: string) =>
  (error: SqlError): DatabaseError => {
    const { cause } = error.reason
    const code = Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) ? cause.code : ""
    return new DatabaseError({
      operation,
      reason: error.reason._tag,
      detail: causeText(error),
      code,
      isRetryable: error.isRetryable || PASSING.test(code)
    })
  }

const causeText = (error: SqlError): string => {
  const { cause } = error.reason
  return cause instanceof Error ? cause.message : error.reason.message || error.message
}

const timedOut = (operation: string) =>
  new DatabaseError({
    operation,
    reason: "Timeout",
    detail: "no answer in 5 seconds",
    code: "",
    isRetryable: true
  })

/** 0.2 s doubling to 5 s, about 20 s; a longer outage is for Temporal's retry. */
const transient = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("5 seconds")]).pipe(
  Schedule.jittered,
  Schedule.upTo({ times: 8 }),
  Schedule.setInputType<DatabaseError>(),
  Schedule.while(({ input }) => input.isRetryable)
)

type Nullable<A> = { readonly [K in keyof A]: A[K] | null }

export class Jobs extends Context.Service<
  Jobs,
  {
    readonly read: (jobId: number) => Effect.Effect<JobRow, JobNotFound | IncompleteJob | DatabaseError>
    /** Saves JSON text as it is. False where the job is no longer there. */
    readonly saveState: (jobId: number, state: string) => Effect.Effect<boolean, DatabaseError>
  }
>()("olake-worker/database/Jobs") {
  static readonly layer = Layer.effect(
    Jobs,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { database } = yield* WorkerConfig
      const tableName = (entity: string) => `olake-${database.runMode}-${entity}`
      const job = sql(tableName("job"))

      const query = <A>(operation: string, run: Effect.Effect<A, SqlError>) =>
        run.pipe(
          Effect.mapError(fromSql(operation)),
          Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.fail(timedOut(operation)) }),
          Effect.tapError((error) =>
            error.isRetryable ? Effect.logWarning(`trying again: ${error.message}`) : Effect.void
          ),
          Effect.retry(transient)
        )

      const read = Effect.fn("Jobs.read")(function* (jobId: number) {
        const rows = yield* query(
          `read job ${jobId}`,
          sql<Nullable<JobRow>>`
            SELECT j.name, j.project_id AS "projectId",
                   s.type AS "sourceType", s.version AS "sourceVersion", s.config::text AS "sourceConfig",
                   d.dest_type AS "destinationType", d.config::text AS "destinationConfig",
                   j.streams_config::text AS "streamsConfig", coalesce(j.state::text, '') AS state
            FROM ${job} j
            JOIN ${sql(tableName("source"))} s ON j.source_id = s.id
            JOIN ${sql(tableName("destination"))} d ON j.dest_id = d.id
            WHERE j.id = ${jobId}`
        )
        const row = rows[0]
        if (row === undefined) return yield* new JobNotFound({ jobId, table: tableName("job") })
        return yield* complete(jobId, row)
      })

      const saveState = Effect.fn("Jobs.saveState")(function* (jobId: number, state: string) {
        const updated = yield* query(
          `save the state of job ${jobId}`,
          sql`UPDATE ${job} SET state = ${state}::jsonb, active = ${true}, updated_at = NOW() WHERE id = ${jobId} RETURNING 1`
        )
        return updated.length > 0
      })

      return Jobs.of({ read, saveState })
    })
  )
}

const REQUIRED = {
  sourceType: "source type",
  sourceVersion: "source version",
  sourceConfig: "source config",
  destinationConfig: "destination config",
  streamsConfig: "streams_config"
} as const

const complete = (jobId: number, row: Nullable<JobRow>): Effect.Effect<JobRow, IncompleteJob> => {
  const keys = Object.keys(REQUIRED) as ReadonlyArray<keyof typeof REQUIRED> // SAFETY: the keys of the constant above
  const columns = keys.filter((key) => (row[key] ?? "") === "").map((key) => REQUIRED[key])
  if (columns.length > 0) return Effect.fail(new IncompleteJob({ jobId, columns }))
  const text = (value: string | null) => value ?? ""
  return Effect.succeed({
    name: text(row.name),
    projectId: text(row.projectId),
    sourceType: text(row.sourceType),
    sourceVersion: text(row.sourceVersion),
    sourceConfig: text(row.sourceConfig),
    destinationType: text(row.destinationType),
    destinationConfig: text(row.destinationConfig),
    streamsConfig: text(row.streamsConfig),
    state: text(row.state)
  })
}
