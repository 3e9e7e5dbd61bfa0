/** Each cause that ends a Pod gets its own class of failure, on a real cluster. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as path from "node:path"
import { tryCauses } from "../../dev/causes/causes.ts"
import { hostAddress } from "../../dev/cluster/Settings.ts"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { TemporalServer } from "../../dev/temporal/TemporalServer.ts"
import { clusterAccess } from "../support/ClusterAccess.ts"

const access = await clusterAccess()

describe.skipIf(!access.available)("what ends a sync's Pod", () => {
  it.live(
    "is told apart: its connector, its memory, its image, a deletion, an eviction, a preemption, its node",
    () =>
      Effect.gen(function* () {
        const root = path.resolve(import.meta.dirname, "../..")
        const rows = yield* tryCauses({ root, runs: 1 })
        const given = rows.map(({ cause, given }) => [cause, ...given.keys()])
        assert.deepStrictEqual(
          given,
          rows.map(({ cause, expected }) => [cause, expected])
        )
        assert.lengthOf(given, 7)
      }).pipe(
        Effect.scoped,
        Effect.provide(Postgres.layer({ listenAddresses: [hostAddress] })),
        Effect.provide(TemporalServer.layer())
      ),
    400_000
  )
})
