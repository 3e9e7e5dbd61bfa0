/** Postgres: there, with the tables, columns and rights, and with configs that the key opens. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as SqlClient from "effect/sql/SqlClient"
import type { WorkerConfig } from "../../Config.ts"
import { Decryption } from "../../database/Decryption.ts"
import { tableOf } from "../../database/Columns.ts"
import * as Inspection from "../../database/Inspection.ts"
import type { DatabaseError } from "../../database/Query.ts"
import { type Check, ok, problem, type Verdict, warning } from "../Check.ts"
import * as ClockSkew from "./ClockSkew.ts"

type Settings = WorkerConfig["Service"]
type Needs = SqlClient.SqlClient | WorkerConfig | Decryption

/** By SQLSTATE, or its class. */
const fixOf = ({ database }: Settings, { code, detail }: DatabaseError): string => {
  const { host, port, name, user } = database
  if (code.startsWith("28"))
    return `Set DB_USER and DB_PASSWORD to those of OLake's UI, or as a superuser: ALTER ROLE "${user}" LOGIN PASSWORD '...'; and see pg_hba.conf`
  if (code === "3D000")
    return `Set DB_NAME to the database of OLake's UI; psql -h ${host} -p ${port} -l lists them`
  if (code === "42501") return `GRANT CONNECT ON DATABASE "${name}" TO "${user}"`
  if (code.startsWith("53")) return "Lower DB_MAX_OPEN_CONNS, or raise max_connections in Postgres"
  if (/certificate|SSL|TLS/i.test(detail)) return "Set DB_SSLMODE and DB_SSLROOTCERT to what the server has"
  return `Set DB_HOST and DB_PORT, and see that Postgres runs there: pg_isready -h ${host} -p ${port}`
}

const judgeTable = (
  use: Inspection.TableUse,
  settings: Settings,
  view: Inspection.TableView,
  modes: ReadonlyArray<string>
): Verdict => {
  const { runMode, user } = settings.database
  const name = tableOf(runMode, use.entity)
  if (!view.isThere) {
    if (use.optional !== undefined)
      return settings.bareJobId === "second"
        ? warning(
            `there is no table ${name}: no ${use.optional}`,
            "Update OLake's UI, which makes this table"
          )
        : ok(`there is no table ${name}: this OLake has no ${use.optional}`)
    const others = modes.filter((mode) => mode !== runMode)
    const fix =
      others.length > 0
        ? `Set RUN_MODE to the UI's: ${others.join(" or ")}`
        : "Start OLake's UI once, with this RUN_MODE and this database: it makes its tables"
    return problem(`there is no table ${name}, as RUN_MODE=${runMode} has it`, fix)
  }
  if (view.missing.length > 0)
    return problem(
      `table ${name} has no column ${view.missing.join(", ")}`,
      `Update OLake's UI, which makes its columns; psql: \\d ${name} shows what is there`
    )
  const grants = [
    ...(view.unreadable.length > 0 ? ["SELECT"] : []),
    ...(view.unwritable.length > 0 ? ["UPDATE"] : [])
  ].join(", ")
  if (grants !== "")
    return problem(
      `${user} may not ${grants.replace(", ", " and ")} ${name} (${[...new Set([...view.unreadable, ...view.unwritable])].join(", ")})`,
      `GRANT ${grants} ON ${name} TO "${user}";`
    )
  return ok(`${name} has all columns and rights`)
}

const judgeKey = Effect.fnUntraced(function* (settings: Settings) {
  const { secretKey } = settings.jobs
  const isSet = secretKey !== undefined && Redacted.value(secretKey).trim() !== ""
  const row = yield* Inspection.encryptedConfig
  if (row === undefined)
    return isSet
      ? ok("OLAKE_SECRET_KEY is set; no config is encrypted yet that it could be tried on")
      : ok("no config is encrypted, and OLAKE_SECRET_KEY is not set")
  if (!isSet)
    return problem(
      `the config of source ${row.id} is encrypted, but OLAKE_SECRET_KEY is not set`,
      "Set OLAKE_SECRET_KEY to the UI's"
    )
  const decryption = yield* Decryption
  yield* decryption.decrypt(row.config, `config of source ${row.id}`)
  return ok(`OLAKE_SECRET_KEY opens the config of source ${row.id}`)
})

export const databaseChecks = (settings: Settings): ReadonlyArray<Check<Needs>> => {
  const { host, port, name, user } = settings.database
  const server: Check<Needs> = {
    name: "postgres.server",
    run: Inspection.server.pipe(
      Effect.map(({ version }) =>
        ok(`${host}:${port} answers ${user} (PostgreSQL ${version}, database ${name})`)
      ),
      Effect.catch((error) => Effect.succeed(problem(error.message, fixOf(settings, error))))
    ),
    remedy: "Correct DB_SSLMODE and DB_SSLROOTCERT"
  }
  const again = `psql -h ${host} -p ${port} -U ${user} ${name}`
  const tables = Inspection.tables.map((use): Check<Needs> => ({
    name: `postgres.table.${use.entity}`,
    needs: server.name,
    run: Effect.gen(function* () {
      const view = yield* Inspection.table(use)
      return judgeTable(use, settings, view, view.isThere ? [] : yield* Inspection.runModes)
    }),
    remedy: again
  }))
  return [
    server,
    ...tables,
    {
      name: "postgres.encryption",
      needs: "postgres.table.source",
      run: judgeKey(settings),
      remedy:
        "Set OLAKE_SECRET_KEY to the UI's; where it is an ARN, grant the worker's role kms:Decrypt on that key"
    },
    {
      name: "postgres.clock",
      needs: server.name,
      run: ClockSkew.compare(
        "Postgres's",
        Effect.map(Inspection.server, ({ now }) => now)
      ),
      remedy: again
    }
  ]
}
