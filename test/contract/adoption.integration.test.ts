/** Many running syncs whose worker dies, and the next is stopped: nothing is lost, nothing is made twice. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import { adoption } from "../../dev/bench/Adoption.ts"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { TemporalServer } from "../../dev/temporal/TemporalServer.ts"

const ROOT = fileURLToPath(new URL("../..", import.meta.url))
const SYNCS = 200

describe("200 running syncs", () => {
  it.live(
    "outlive a SIGKILL and a SIGTERM of their workers: one Pod each, none deleted, one result each",
    () =>
      Effect.gen(function* () {
        const { created, deleted, ended, exitCode } = yield* adoption(ROOT, SYNCS)
        assert.deepStrictEqual(
          { created, deleted, ended, exitCode },
          { created: SYNCS, deleted: 0, ended: { COMPLETED: SYNCS }, exitCode: 0 }
        )
      }).pipe(Effect.scoped, Effect.provide([Postgres.layer(), TemporalServer.layer()])),
    480_000
  )
})
