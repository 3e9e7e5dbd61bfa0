/** DB_SSLMODE against a server that lets in TLS only. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as path from "node:path"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import * as Database from "../../src/database/Database.ts"
import { temporaryFolder } from "../support/Conditions.ts"
import { certify } from "../support/Certificates.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

type Database = NonNullable<NonNullable<Parameters<typeof testConfigLayer>[0]>["database"]>

/** Whether the worker's own layer gets an answer, for a certificate of `host`. */
const answers = (host: string, settings: (folder: string) => Database) =>
  Effect.scoped(
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const context = yield* Layer.build(Postgres.layer({ tls: certify(folder, host) }))
      const server = yield* Postgres.pipe(Effect.provide(context))
      const { port, user } = server
      const database = {
        host: server.host,
        port,
        user,
        name: server.database,
        password: Redacted.make(server.password)
      }
      const config = testConfigLayer({ database: { ...database, ...settings(folder) } })
      return yield* Database.ping.pipe(Effect.provide(Database.layer.pipe(Layer.provide(config))))
    })
  )

const ca = (folder: string) => path.join(folder, "ca.crt")
const OURS = "IP:127.0.0.1"
const OTHERS = "DNS:db.example.com"

describe("DB_SSLMODE", () => {
  const cases: ReadonlyArray<readonly [string, string, (folder: string) => Database, boolean]> = [
    ["disable is not let in", OURS, () => ({ sslMode: "disable" }), false],
    ["require encrypts and checks nothing", OTHERS, () => ({ sslMode: "require" }), true],
    ["verify-ca wants the CA", OURS, () => ({ sslMode: "verify-ca" }), false],
    [
      "verify-ca does not mind the name",
      OTHERS,
      (folder) => ({ sslMode: "verify-ca", sslRootCert: ca(folder) }),
      true
    ],
    [
      "verify-full minds it",
      OTHERS,
      (folder) => ({ sslMode: "verify-full", sslRootCert: ca(folder) }),
      false
    ],
    [
      "verify-full of the right server",
      OURS,
      (folder) => ({ sslMode: "verify-full", sslRootCert: ca(folder) }),
      true
    ]
  ]
  for (const [title, host, settings, expected] of cases) {
    it.live(
      title,
      () => Effect.map(answers(host, settings), (is) => assert.strictEqual(is, expected)),
      30_000
    )
  }

  it.live("a CA file that is not there is said by its variable", () =>
    Effect.gen(function* () {
      const config = testConfigLayer({ database: { sslMode: "verify-ca", sslRootCert: "/nowhere/ca.crt" } })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Database.layer.pipe(Layer.provide(config)))))
      assert.include(error.message, "DB_SSLROOTCERT")
      assert.include(error.message, "/nowhere/ca.crt")
    })
  )
})
