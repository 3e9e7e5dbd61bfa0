import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { inspect } from "node:util"
import { olakeTables } from "../../dev/postgres/OlakeTables.ts"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { WorkerConfig } from "../../src/Config.ts"
import * as Database from "../../src/database/Database.ts"
import { Projects } from "../../src/database/Projects.ts"

/** The worker's own layers against a real server; each installation's tables under its own RUN_MODE. */
const configLayer = (runMode: string) =>
  Layer.unwrap(
    Effect.map(Postgres, ({ host, port, user, password, database }) =>
      WorkerConfig.layer({
        database: { host, port, user, name: database, password: Redacted.make(password), runMode }
      })
    )
  )

const serverLayer = Database.layer.pipe(
  Layer.provideMerge(configLayer("dev")),
  Layer.provideMerge(Postgres.layer())
)

const webhookUrl = (runMode: string, projectId: string) =>
  Effect.flatMap(Projects, (projects) => projects.webhookUrl(projectId)).pipe(
    Effect.provide(Layer.provide(Projects.layer, configLayer(runMode)))
  )

describe("a project's webhook", () => {
  layer(serverLayer, { timeout: "60 seconds", excludeTestServices: true })((it) => {
    it.effect("is that of its settings, as a secret; a job older than projects is of project 123", () =>
      Effect.gen(function* () {
        const { setWebhook } = yield* olakeTables("staging", "v2")
        yield* setWebhook("123", "https://hooks.example/first")
        yield* setWebhook("124'; --", " https://hooks.example/second\n")
        for (const [project, expected] of [
          ["123", "https://hooks.example/first"],
          ["", "https://hooks.example/first"],
          ["124'; --", "https://hooks.example/second"]
        ] as const) {
          const url = yield* webhookUrl("staging", project)
          assert.strictEqual(Option.getOrUndefined(Option.map(url, Redacted.value)), expected)
          assert.notInclude(inspect(url, { depth: 9 }), "hooks.example")
        }
      })
    )

    it.effect("is none without settings, without a URL in them, or where OLake is older than settings", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* olakeTables("old", "v1")
        const { setWebhook } = yield* olakeTables("new", "v2")
        yield* setWebhook("blank", " ")
        yield* setWebhook("null", "")
        yield* sql`UPDATE ${sql("olake-new-project-settings")} SET webhook_alert_url = NULL WHERE project_id = 'null'`
        for (const [mode, project] of [
          ["new", "nobody"],
          ["new", ""],
          ["new", "blank"],
          ["new", "null"],
          ["old", "123"]
        ] as const)
          assert.isTrue(Option.isNone(yield* webhookUrl(mode, project)), `${mode} ${project}`)
      })
    )

    it.effect("is an error, not none, where the table cannot be read", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* olakeTables("odd", "v2")
        yield* sql`ALTER TABLE ${sql("olake-odd-project-settings")} RENAME webhook_alert_url TO other`
        const error = yield* Effect.flip(webhookUrl("odd", "123"))
        assert.strictEqual(error.code, "42703")
        assert.isFalse(error.isRetryable)
        assert.include(error.message, "Postgres: cannot read the project's settings")
      })
    )
  })
})
