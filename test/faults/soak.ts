/** A short soak on a real cluster. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { soak } from "../../dev/soak/soak.ts"
import { clusterServers } from "../../dev/world/World.ts"

export const soakSuite = (): void => {
  describe("a short soak on a real cluster", () => {
    it.live(
      "loses nothing and has no second writer, though workers are killed and Pods deleted",
      () =>
        Effect.gen(function* () {
          const result = yield* soak({ seconds: 40, syncs: 6, workers: 2 })
          assert.deepInclude(result, { secondWriters: [], lostResults: [], lostCheckpoints: [] })
          assert.isAbove(result.runs, 6)
          assert.isAbove(result.kills, 0)
          assert.isAbove(result.deletes, 0)
        }).pipe(Effect.scoped, Effect.provide(clusterServers)),
      300_000
    )
  })
}
