/** One query: bounded, its failure classified, and repeated while that may pass. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"
import { callSeconds, timed } from "../Metrics.ts"
import { bounded, capped } from "../Schedules.ts"

/** SQLSTATE of a table that is not there. */
export const UNDEFINED_TABLE = "42P01"

export class DatabaseError extends Schema.TaggedError<DatabaseError>()("DatabaseError", {
  operation: Schema.String,
  reason: Schema.String,
  detail: Schema.String,
  /** SQLSTATE; empty where the server said none. */
  code: Schema.String,
  isRetryable: Schema.Boolean
}) {
  override get message(): string {
    const remedy = REMEDIES[this.code] ?? REMEDIES[this.code.slice(0, 2)]
    return `Postgres: cannot ${this.operation}: ${this.reason}: ${this.detail}${remedy === undefined ? "" : `. ${remedy}`}`
  }
}

/** By SQLSTATE, or by its class. */
const REMEDIES: Readonly<Record<string, string>> = {
  [UNDEFINED_TABLE]: "Is RUN_MODE the same as the UI's?",
  "25006": "The server takes no writes, as a standby: DB_HOST must be the primary.",
  "53100": "Free space on Postgres' disk.",
  "53300": "Free connections, raise Postgres' max_connections, or lower DB_MAX_OPEN_CONNS.",
  "42501": "Grant DB_USER the rights on OLake's tables.",
  "28": "Check DB_USER and DB_PASSWORD.",
  "3D": "Check DB_NAME."
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

const timedOut = (operation: string) => (detail: string) =>
  Effect.fail(new DatabaseError({ operation, reason: "Timeout", detail, code: "", isRetryable: true }))

const LIMIT = "5 seconds"

/** 0.2 s doubling to 5 s, about 20 s; a longer outage is for Temporal's retry. */
const transient = capped("200 millis", "5 seconds", { jittered: true, times: 8 }).pipe(
  Schedule.setInputType<DatabaseError>(),
  Schedule.while(({ input }) => input.isRetryable)
)

const seconds = callSeconds(
  "database_query_seconds",
  "Seconds that a query of Postgres took, by result: ok, or why it failed"
)

/** Not repeated: for whoever wants to hear of the failure at once. */
export const once = <A>(
  operation: string,
  run: Effect.Effect<A, SqlError>
): Effect.Effect<A, DatabaseError> =>
  run.pipe(
    Effect.mapError(fromSql(operation)),
    bounded(LIMIT, timedOut(operation)),
    timed(seconds, {}, ({ reason }) => reason)
  )

export const query = <A>(
  operation: string,
  run: Effect.Effect<A, SqlError>
): Effect.Effect<A, DatabaseError> =>
  once(operation, run).pipe(
    Effect.tapError((error) =>
      error.isRetryable ? Effect.logWarning(`trying again: ${error.message}`) : Effect.void
    ),
    Effect.retry(transient)
  )
