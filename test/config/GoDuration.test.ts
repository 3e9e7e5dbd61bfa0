import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as GoDuration from "../../src/config/GoDuration.ts"

const upTo = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))

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
  it.prop("adds up what it reads", [upTo(80_000), upTo(59), upTo(59_999)], ([hours, minutes, millis]) => {
    const read = GoDuration.parse(`${hours}h${minutes}m${millis}ms`)
    return read !== undefined && Duration.toMillis(read) === (hours * 60 + minutes) * 60_000 + millis
  })
})
