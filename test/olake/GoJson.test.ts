import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as GoJson from "../../src/olake/GoJson.ts"

describe("JSON as Go writes it", () => {
  it("sorts keys at every depth, and escapes what HTML would take", () =>
    assert.strictEqual(
      GoJson.stringify({ b: [{ d: 1, c: "<a&b>\u2028" }], a: null }),
      `{"a":null,"b":[{"c":"\\u003ca\\u0026b\\u003e\\u2028","d":1}]}`
    ))

  it.prop("holds the same", [Schema.Record(Schema.String, Schema.Json)], ([value]) => {
    assert.deepStrictEqual(JSON.parse(GoJson.stringify(value)), JSON.parse(JSON.stringify(value)))
    return true
  })
})
