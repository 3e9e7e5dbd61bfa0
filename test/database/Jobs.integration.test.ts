import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { olakeTables, type TablesVersion } from "../../dev/postgres/OlakeTables.ts"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { WorkerConfig } from "../../src/Config.ts"
import * as Database from "../../src/database/Database.ts"
import { Jobs } from "../../src/database/Jobs.ts"
import { eventually } from "../support/Conditions.ts"
import { tcpProxy } from "../support/world/TcpProxy.ts"

/** The worker's own layers against a real server; each version of OLake's tables under its own RUN_MODE. */
const configLayer = (runMode: string) =>
  Layer.unwrap(
    Effect.map(Postgres, ({ host, port, user, password, database }) =>
      WorkerConfig.layer({
        database: { host, port, user, name: database, password: Redacted.make(password), runMode }
      })
    )
  )

const jobsOf = (runMode: string) =>
  Jobs.layer.pipe(
    Layer.provideMerge(Database.layer),
    Layer.provideMerge(configLayer(runMode)),
    Layer.provideMerge(Postgres.layer())
  )

for (const version of ["v1", "v2"] as const satisfies ReadonlyArray<TablesVersion>) {
  describe(`Jobs on OLake's ${version} tables`, () => {
    layer(jobsOf(version), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      const made = Effect.runSync(Effect.cached(olakeTables(version, version)))
      const insert = Effect.gen(function* () {
        const tables = yield* made
        const source = yield* tables.insertSource({
          type: "postgres",
          version: "v0.2.0",
          config: `{"b": 1, "a": 12345678901234567890}`
        })
        const destination = yield* tables.insertDestination({
          type: "parquet",
          version: "v0.2.0",
          config: `"AAAA"`
        })
        return { tables, id: yield* tables.insertJob({ source, destination, streams: `{"streams": []}` }) }
      })

      it.effect("advances a state once from where its row stood, and not past anybody's write", () =>
        Effect.gen(function* () {
          const jobs = yield* Jobs
          const { tables, id } = yield* insert
          const { version } = yield* jobs.read(id)
          const both = yield* Effect.all(
            ["1", "2"].map((lsn) => jobs.saveState(id, `{"lsn": ${lsn}}`, { activates: false, version })),
            { concurrency: 2 }
          )
          assert.lengthOf(both.filter(Boolean), 1)
          const now = yield* jobs.read(id)
          assert.include([`{"lsn": 1}`, `{"lsn": 2}`], now.state)
          // Somebody resets it, to what it was.
          yield* tables.setActive(id, false)
          assert.isFalse(yield* jobs.saveState(id, `{"lsn": 3}`, { activates: false, version: now.version }))
          assert.strictEqual(yield* tables.jobState(id), now.state)
        })
      )

      it.effect("reads a job as the database has it, and saves a state to the last digit", () =>
        Effect.gen(function* () {
          const jobs = yield* Jobs
          const { tables, id } = yield* insert
          const row = yield* jobs.read(id)
          assert.deepInclude(row, {
            sourceType: "postgres",
            sourceVersion: "v0.2.0",
            destinationConfig: `"AAAA"`,
            state: "{}"
          })
          assert.include(row.sourceConfig, "12345678901234567890")

          assert.isTrue(
            yield* jobs.saveState(id, `{"lsn": 9007199254740993, "t": "ü\\"\\\\"}`, {
              activates: true,
              version: row.version
            })
          )
          assert.strictEqual(yield* tables.jobState(id), `{"t": "ü\\"\\\\", "lsn": 9007199254740993}`)
          assert.strictEqual((yield* jobs.read(id)).state, `{"t": "ü\\"\\\\", "lsn": 9007199254740993}`)

          const missing = yield* Effect.flip(jobs.read(424242))
          assert.strictEqual(missing._tag, "JobNotFound")
          assert.include(missing.message, `olake-${version}-job`)
          assert.isFalse(yield* jobs.saveState(424242, "{}", { activates: true, version: row.version }))
          assert.isUndefined(yield* jobs.versionOf(424242))

          const known = { activates: true, version: (yield* jobs.versionOf(id)) ?? "" }
          const broken = yield* Effect.flip(jobs.saveState(id, `{"half`, known))
          assert.isFalse(broken.isRetryable)

          const sql = yield* SqlClient.SqlClient
          if (version === "v2") {
            yield* sql`UPDATE ${sql(`olake-${version}-job`)} SET streams_config = NULL, state = NULL WHERE id = ${id}`
            const incomplete = yield* Effect.flip(jobs.read(id))
            assert.strictEqual(incomplete._tag, "IncompleteJob")
            assert.include(incomplete.message, "streams_config")
          }
        })
      )

      it.effect("reads the catalog that the row has at that moment, whole or split", () =>
        Effect.gen(function* () {
          const jobs = yield* Jobs
          const { tables, id } = yield* insert
          const catalog = Effect.map(jobs.read(id), (row) => row.catalog)
          assert.deepStrictEqual(yield* catalog, { form: "whole", streams: `{"streams": []}` })
          if (version === "v1") return
          // The UI is updated while the worker runs, and converts the job.
          yield* tables.addSplitCatalogs
          assert.deepStrictEqual(yield* catalog, { form: "whole", streams: `{"streams": []}` })
          const split = {
            form: "split",
            available: `{"streams": [1]}`,
            selected: `{"selected_streams": {}}`
          } as const
          for (const left of [null, "{}", `{"streams": ["old"]}`]) {
            yield* tables.setCatalog(id, left, `{"streams":[1]}`, `{"selected_streams":{}}`)
            assert.deepStrictEqual(yield* catalog, split)
          }
          for (const [left, available, selected, missing] of [
            [`{"streams": ["old"]}`, null, `{"selected_streams":{}}`, "available_streams_config"],
            [`{"streams": ["old"]}`, `{"streams":[1]}`, null, "selected_streams_config"],
            [`{"streams": ["old"]}`, `{"streams":[1]}`, "{}", "selected_streams_config"],
            ["{}", null, null, "streams_config"],
            [null, null, null, "streams_config"]
          ] as const) {
            yield* tables.setCatalog(id, left, available, selected)
            const error = yield* Effect.flip(jobs.read(id))
            assert.strictEqual(error._tag, "IncompleteJob")
            assert.include(error.message, `has no ${missing}.`)
          }
        })
      )

      it.effect("reads advanced settings, where the table has such a column", () =>
        Effect.gen(function* () {
          const jobs = yield* Jobs
          const { tables, id } = yield* insert
          assert.strictEqual((yield* jobs.read(id)).advancedSettings, "")
          if (version === "v1") return
          yield* tables.setAdvancedSettings(id, `{"index_required": true}`)
          assert.strictEqual((yield* jobs.read(id)).advancedSettings, `{"index_required": true}`)
        })
      )

      it.effect("recognizes its own write, where the answer to it was lost", () =>
        Effect.gen(function* () {
          const { tables, id } = yield* insert
          const { host, port } = yield* Postgres
          const settings = yield* WorkerConfig
          const proxy = yield* tcpProxy(`${host}:${port}`)
          const [, proxied] = proxy.address.split(":")
          const through = Jobs.layer.pipe(
            Layer.provideMerge(Database.layer),
            Layer.provide(
              Layer.succeed(WorkerConfig, {
                ...settings,
                database: { ...settings.database, host: "127.0.0.1", port: Number(proxied) }
              })
            )
          )
          yield* Effect.gen(function* () {
            const jobs = yield* Jobs
            const { version: row } = yield* jobs.read(id)
            yield* proxy.mute
            const saving = yield* Effect.forkChild(
              jobs.saveState(id, `{"lsn": 7}`, { activates: false, version: row })
            )
            yield* eventually("it is written", () =>
              Effect.runPromise(tables.jobState(id)).then((state) => state === `{"lsn": 7}` || undefined)
            )
            yield* proxy.refuse
            yield* proxy.pass
            assert.isTrue(yield* Fiber.join(saving))
            // Somebody else's write in between is none of its own.
            yield* proxy.mute
            const late = yield* Effect.forkChild(
              jobs.saveState(id, `{"lsn": 8}`, { activates: false, version: row })
            )
            yield* proxy.refuse
            yield* proxy.pass
            assert.isFalse(yield* Fiber.join(late))
          }).pipe(Effect.provide(yield* Layer.build(through)))
        }).pipe(Effect.scoped)
      )

      it.effect("a server that restarts meanwhile is waited for", () =>
        Effect.gen(function* () {
          const jobs = yield* Jobs
          const postgres = yield* Postgres
          assert.isTrue(yield* Database.ping)
          yield* postgres.stop
          assert.isFalse(yield* Database.ping)
          const reading = yield* Effect.forkChild(Effect.flip(jobs.read(424242)))
          yield* postgres.start
          assert.strictEqual((yield* Fiber.join(reading))._tag, "JobNotFound")
        })
      )
    })
  })
}
