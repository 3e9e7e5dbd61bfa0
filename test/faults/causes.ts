/** Each cause that ends a Pod gets its own class of failure, on a real cluster. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { tryCauses } from "../../dev/causes/causes.ts"
import { clusterServers } from "../../dev/world/World.ts"

export const causesSuite = (): void => {
  describe("what ends a sync's Pod", () => {
    it.live(
      "is told apart: its connector, its memory, its image, a deletion, an eviction, a preemption, its node",
      () =>
        Effect.gen(function* () {
          const rows = yield* tryCauses({ runs: 1 })
          const given = rows.map(({ cause, given }) => [cause, ...given.keys()])
          assert.deepStrictEqual(
            given,
            rows.map(({ cause, expected }) => [cause, expected])
          )
          assert.lengthOf(given, 7)
        }).pipe(Effect.scoped, Effect.provide(clusterServers)),
      400_000
    )
  })
}
