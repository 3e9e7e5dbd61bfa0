/** The connection pool to OLake's Postgres. Building it connects to nothing; `ping` tells whether it answers. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { readFileSync } from "node:fs"
import { checkServerIdentity, type ConnectionOptions } from "node:tls"
import { WorkerConfig } from "../Config.ts"

type DatabaseConfig = WorkerConfig["Service"]["database"]

/** The file of DB_SSLROOTCERT cannot be read. */
export class RootCertError extends Schema.TaggedError<RootCertError>()("RootCertError", {
  detail: Schema.String
}) {
  override get message(): string {
    return `DB_SSLROOTCERT: cannot read the CA certificate: ${this.detail}`
  }
}

/** libpq's meaning of sslmode: `require` encrypts and checks nothing, `verify-ca` checks the chain, `verify-full` also the host. */
const sslOf = ({ sslMode, host }: DatabaseConfig, ca: string | undefined): false | ConnectionOptions => {
  const trusted = ca === undefined ? {} : { ca }
  switch (sslMode) {
    case "disable":
      return false
    case "require":
      return { rejectUnauthorized: false }
    case "verify-ca":
      return { ...trusted, rejectUnauthorized: true, checkServerIdentity: () => undefined }
    case "verify-full":
      // Node would check an address as if it were `localhost`.
      return {
        ...trusted,
        rejectUnauthorized: true,
        checkServerIdentity: (_, cert) => checkServerIdentity(host, cert)
      }
  }
}

const readRootCert = ({ sslRootCert }: DatabaseConfig) =>
  Effect.try({
    try: () => (sslRootCert === undefined ? undefined : readFileSync(sslRootCert, "utf8")),
    catch: (cause) => new RootCertError({ detail: cause instanceof Error ? cause.message : String(cause) })
  })

export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { database } = yield* WorkerConfig
    const ssl = sslOf(database, yield* readRootCert(database))
    return PgClient.layer({
      host: database.host,
      port: database.port,
      database: database.name,
      username: database.user,
      password: database.password,
      ssl,
      applicationName: "olake-worker",
      connectTimeout: "5 seconds",
      maxConnections: database.maxOpenConnections,
      minConnections: 0,
      idleTimeout: "5 minutes",
      connectionTTL: database.connectionMaxLifetime
    })
  })
)

/** Whether Postgres answers within two seconds. */
export const ping: Effect.Effect<boolean, never, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  return yield* sql`SELECT 1`.pipe(Effect.timeout("2 seconds"), Effect.isSuccess)
})
