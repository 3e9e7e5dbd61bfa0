import { assert, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as fs from "node:fs"
import * as os from "node:os"
import { olakeTables } from "../../dev/postgres/OlakeTables.ts"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { addOrders, createShop, SHOP_DATABASE, SHOP_ROWS, sqlLayer } from "../../dev/postgres/Shop.ts"

const select1 = SqlClient.SqlClient.pipe(
  Effect.flatMap((sql) => sql`SELECT 1 AS one`),
  Effect.provide(sqlLayer())
)

layer(Postgres.layer(), { timeout: "60 seconds", excludeTestServices: true })("Postgres", (it) => {
  it.effect("refuses connections while it is stopped and keeps its data", () =>
    Effect.gen(function* () {
      const server = yield* Postgres
      yield* createShop
      yield* server.stop
      const error = yield* Effect.flip(select1)
      assert.isTrue(error.isRetryable)
      yield* server.start
      yield* server.restart
      yield* addOrders(1)
      const rows = yield* SqlClient.SqlClient.pipe(
        Effect.flatMap(
          (sql) => sql<{ readonly id: number }>`
          SELECT max(id)::int AS id FROM orders`
        ),
        Effect.provide(sqlLayer(SHOP_DATABASE))
      )
      assert.strictEqual(rows[0]?.id, SHOP_ROWS.orders + 1)
    })
  )

  for (const version of ["v1", "v2"] as const) {
    it.effect(`has OLake's tables as ${version} makes them`, () =>
      Effect.gen(function* () {
        const tables = yield* olakeTables(`mode-${version}`, version)
        const source = yield* tables.insertSource({ type: "postgres", version: "v0.9.4", config: '"QUJD"' })
        const destination = yield* tables.insertDestination({
          type: "parquet",
          version: "v0.9.4",
          config: "{}"
        })
        const job = yield* tables.insertJob({
          source,
          destination,
          streams: "{}",
          state: '{"n": 9007199254740993}'
        })
        assert.strictEqual(yield* tables.jobState(job), '{"n": 9007199254740993}')
        assert.strictEqual(yield* tables.jobState(job + 1), undefined)
        const sql = yield* SqlClient.SqlClient
        const rows = yield* sql.unsafe(
          `SELECT s.config::text AS config, d.dest_type, j.project_id, j.active
           FROM "olake-mode-${version}-job" j JOIN "olake-mode-${version}-source" s ON j.source_id = s.id
           JOIN "olake-mode-${version}-destination" d ON j.dest_id = d.id`
        )
        assert.deepStrictEqual(rows, [
          { config: '"QUJD"', dest_type: "parquet", project_id: "123", active: true }
        ])
      }).pipe(Effect.provide(sqlLayer()))
    )
  }
})

it.live("leaves nothing behind", () =>
  Effect.gen(function* () {
    const left = yield* Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const rows = yield* sql<{ readonly pid: number; readonly folder: string }>`
        SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int AS pid,
               current_setting('data_directory') AS folder`
      return rows[0] ?? { pid: 0, folder: "" }
    }).pipe(Effect.provide(sqlLayer()), Effect.provide(Postgres.layer()))
    assert.isTrue(left.folder.startsWith(os.tmpdir()))
    assert.isFalse(fs.existsSync(left.folder))
    assert.throws(() => process.kill(left.pid, 0), /ESRCH/)
  })
)
