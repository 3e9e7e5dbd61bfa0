/** A project's settings: where its alerts go. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { WorkerConfig } from "../Config.ts"
import { type DatabaseError, query, UNDEFINED_TABLE } from "./Query.ts"

/** The project of jobs that are older than projects. */
export const FIRST_PROJECT = "123"

export class Projects extends Context.Service<
  Projects,
  {
    /** None where alerts go nowhere. The URL lets anyone post: a secret. */
    readonly webhookUrl: (projectId: string) => Effect.Effect<Option.Option<Redacted.Redacted>, DatabaseError>
  }
>()("olake-worker/database/Projects") {
  static readonly layer = Layer.effect(
    Projects,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { database } = yield* WorkerConfig
      const table = sql(`olake-${database.runMode}-project-settings`)
      return Projects.of({
        webhookUrl: Effect.fn("Projects.webhookUrl")(function* (projectId) {
          const rows = yield* query(
            "read the project's settings",
            sql<{ readonly url: string | null }>`
              SELECT webhook_alert_url AS url FROM ${table} WHERE project_id = ${projectId || FIRST_PROJECT}`
          ).pipe(
            // Older installations know no settings.
            Effect.catchIf(
              ({ code }) => code === UNDEFINED_TABLE,
              () => Effect.succeed([])
            )
          )
          const url = rows[0]?.url?.trim() ?? ""
          return url === "" ? Option.none() : Option.some(Redacted.make(url))
        })
      })
    })
  )
}
