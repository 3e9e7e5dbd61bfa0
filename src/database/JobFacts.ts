/** What telemetry says of a job: names, versions and dates, none of which a run needs. */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { JobFacts } from "../olake/telemetry/Payload.ts"
import { once } from "./Query.ts"

/** Undefined where the job is not there. Asked once: nobody waits for it through an outage. */
export const factsOf = (sql: SqlClient.SqlClient, tableName: (entity: string) => string) =>
  Effect.fn("Jobs.facts")(function* (jobId: number) {
    const rows = yield* once(
      `look at job ${jobId}`,
      sql<JobFacts>`
        SELECT coalesce(j.name, '') AS name, coalesce(j.frequency, '') AS frequency,
               coalesce(to_char(j.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '') AS "createdAt",
               coalesce(s.name, '') AS "sourceName", coalesce(s.version, '') AS "sourceVersion",
               coalesce(d.name, '') AS "destinationName", coalesce(d.version, '') AS "destinationVersion"
        FROM ${sql(tableName("job"))} j
        JOIN ${sql(tableName("source"))} s ON j.source_id = s.id
        JOIN ${sql(tableName("destination"))} d ON j.dest_id = d.id
        WHERE j.id = ${jobId}`
    )
    return rows[0]
  })
