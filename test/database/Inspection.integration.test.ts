/** What the doctor wants of the tables is what the worker uses of them. */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { olakeTables } from "../../dev/postgres/OlakeTables.ts"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { sqlLayer } from "../../dev/postgres/Shop.ts"
import { WorkerConfig } from "../../src/Config.ts"
import * as Database from "../../src/database/Database.ts"
import { tableOf } from "../../src/database/Columns.ts"
import * as Inspection from "../../src/database/Inspection.ts"
import { Jobs } from "../../src/database/Jobs.ts"
import { Projects } from "../../src/database/Projects.ts"

/** A user who may touch the listed columns and no other. */
const LEAST = "least"

const asLeast = Layer.unwrap(
  Effect.map(Postgres, ({ host, port, database }) =>
    Layer.mergeAll(Jobs.layer, Projects.layer).pipe(
      Layer.provideMerge(Database.layer),
      Layer.provideMerge(
        WorkerConfig.layer({
          database: {
            host,
            port,
            name: database,
            user: LEAST,
            password: Redacted.make(LEAST),
            runMode: "dev"
          }
        })
      )
    )
  )
)

const grants = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql.unsafe(`CREATE ROLE ${LEAST} LOGIN PASSWORD '${LEAST}'`)
  for (const { entity, reads, readsNewer = [], writes } of Inspection.tables) {
    const table = tableOf("dev", entity)
    const there = readsNewer.filter((column) => column === "advanced_settings")
    yield* sql.unsafe(`GRANT SELECT (${[...reads, ...there].join(", ")}) ON ${table} TO ${LEAST}`)
    if (writes.length > 0) yield* sql.unsafe(`GRANT UPDATE (${writes.join(", ")}) ON ${table} TO ${LEAST}`)
  }
})

const server = Layer.provideMerge(Layer.unwrap(Effect.sync(() => sqlLayer())), Postgres.layer())

describe("the columns that the doctor looks for", () => {
  layer(server, { timeout: "60 seconds", excludeTestServices: true })((it) => {
    it.effect(
      "are all that the worker needs, and each of them is one",
      () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const { insertSource, insertDestination, insertJob, setWebhook, addSplitCatalogs } =
            yield* olakeTables("dev", "v2")
          const source = yield* insertSource({ type: "postgres", version: "v1", config: "{}" })
          const destination = yield* insertDestination({ type: "parquet", version: "v1", config: "{}" })
          const job = yield* insertJob({ source, destination, streams: "{}" })
          yield* setWebhook("123", "https://hooks.example/x")
          yield* grants

          const use = Effect.gen(function* () {
            const jobs = yield* Jobs
            const { version } = yield* jobs.read(job)
            yield* jobs.summary(job)
            assert.isTrue(yield* jobs.saveState(job, "{}", { activates: true, version }))
            yield* (yield* Projects).webhookUrl("123")
          })
          // A right that is missing is waited for: within its time, all of them were there.
          yield* use.pipe(Effect.timeout("10 seconds"), Effect.provide(asLeast))

          for (const table of Inspection.tables) {
            const view = yield* Inspection.table(table).pipe(Effect.provide(asLeast))
            assert.deepStrictEqual(view, { isThere: true, missing: [], unreadable: [], unwritable: [] })
            const name = tableOf("dev", table.entity)
            const columns = new Set([...table.reads, ...table.writes])
            // Every table has it.
            columns.delete("xmin")
            for (const column of columns) {
              yield* sql.unsafe(`ALTER TABLE ${name} RENAME ${column} TO away`)
              const failed = yield* use.pipe(Effect.provide(asLeast), Effect.isFailure)
              const { missing } = yield* Inspection.table(table).pipe(Effect.provide(asLeast))
              yield* sql.unsafe(`ALTER TABLE ${name} RENAME away TO ${column}`)
              assert.isTrue(failed, `${name} works without ${column}`)
              assert.deepStrictEqual(missing, [column])
            }
          }

          const [jobs] = Inspection.tables
          assert(jobs !== undefined)
          const unreadable = Inspection.table(jobs).pipe(
            Effect.map((view) => view.unreadable),
            Effect.provide(asLeast)
          )
          // A right that was never granted, since nobody read that column: the job works, without an index volume.
          yield* sql.unsafe(`REVOKE SELECT (advanced_settings) ON ${tableOf("dev", "job")} FROM ${LEAST}`)
          assert.deepStrictEqual(yield* unreadable, ["advanced_settings"])
          yield* use.pipe(Effect.timeout("10 seconds"), Effect.provide(asLeast))
          // A catalog that cannot be read is not replaced by an older one.
          yield* addSplitCatalogs
          assert.deepStrictEqual(yield* unreadable, [
            "advanced_settings",
            "available_streams_config",
            "selected_streams_config"
          ])
          const refused = yield* use.pipe(
            Effect.timeoutOption("5 seconds"),
            Effect.provide(asLeast),
            Effect.option
          )
          assert.isTrue(Option.isNone(Option.flatten(refused)))
        }),
      60_000
    )
  })
})
