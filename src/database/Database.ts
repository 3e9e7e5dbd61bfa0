/** The connection pool to OLake's Postgres. Building it connects to nothing; `ping` tells whether it answers. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import { readFileSync } from "node:fs"
import { WorkerConfig } from "../Config.ts"

type DatabaseConfig = WorkerConfig["Service"]["database"]

/** libpq's meaning of sslmode: `require` encrypts and checks nothing, `verify-ca` checks the chain, `verify-full` also the host. */
const sslOf = ({ sslMode, sslRootCert, host }: DatabaseConfig) => {
  if (sslMode === "disable") return false
  const ca = sslRootCert === undefined ? {} : { ca: readFileSync(sslRootCert, "utf8") }
  switch (sslMode) {
    case "require":
      return { ...ca, rejectUnauthorized: false }
    case "verify-ca":
      return { ...ca, rejectUnauthorized: true, checkServerIdentity: () => undefined }
    case "verify-full":
      return { ...ca, rejectUnauthorized: true, servername: host }
  }
}

export const layer = Layer.unwrap(
  Effect.map(WorkerConfig, ({ database }) =>
    PgClient.layer({
      host: database.host,
      port: database.port,
      database: database.name,
      username: database.user,
      password: database.password,
      ssl: sslOf(database),
      applicationName: "olake-worker",
      connectTimeout: "5 seconds",
      maxConnections: database.maxOpenConnections,
      minConnections: 0,
      idleTimeout: "5 minutes",
      connectionTTL: database.connectionMaxLifetime
    })
  )
)

/** Whether Postgres answers within two seconds. */
export const ping: Effect.Effect<boolean, never, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  return yield* sql`SELECT 1`.pipe(Effect.timeout("2 seconds"), Effect.isSuccess)
})
