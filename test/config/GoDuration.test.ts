import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as GoDuration from "../../src/config/GoDuration.ts"

describe("GoDuration", () => {
  for (const [text, millis] of [
    ["700h", 2_520_000_000],
    ["2h45m", 9_900_000],
    ["1.5s", 1500],
    ["300ms", 300],
    [".5m", 30_000],
    ["90", 90_000],
    ["0", 0]
  ] as const) {
    it(`reads ${text}`, () =>
      assert.strictEqual(Duration.toMillis(GoDuration.parse(text) ?? Duration.infinity), millis))
  }
  for (const text of ["", "h", "5 seconds", "-1h", "1h ", "1d", "99999999h", "1e3s", "Infinity"]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.isUndefined(GoDuration.parse(text)))
  }
  it.prop(
    "a whole number of milliseconds survives the round trip",
    [Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10 * 365 * 86_400_000 }))],
    ([millis]) => {
      const again = GoDuration.parse(GoDuration.format(Duration.millis(millis)))
      return again !== undefined && Duration.toMillis(again) === millis
    }
  )
})
