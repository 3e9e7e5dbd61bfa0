import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fs from "node:fs"
import { progressOf, shareOf } from "../../src/olake/ConnectorStats.ts"

/** As OLake's connectors write it: keys, units and kinds of values. */
const real = {
  "Writer Threads": 3,
  "Synced Records": 120_000,
  "Bytes Read": 7_340_032,
  Speed: "1499.53 rps",
  "Seconds Elapsed": "80.03",
  "Estimated Remaining Time": "120.01 s",
  "Memory Usage Bytes": 536_870_912,
  "CPU Utilization": 0.1834
}
const text = JSON.stringify(real)
const numbers = {
  rows: 120_000,
  rowsPerSecond: 1499.53,
  bytes: 7_340_032,
  elapsedSeconds: 80.03,
  remainingSeconds: 120.01
}

describe("stats.json", () => {
  it("of a connector is read, with its units", () => assert.deepStrictEqual(progressOf(text), numbers))

  it("tells the share that is done, by rows", () => {
    assert.closeTo(shareOf(numbers) ?? 0, 0.4, 0.001)
    assert.strictEqual(shareOf({ rows: 5, rowsPerSecond: 1, remainingSeconds: 0 }), 1)
    for (const unknown of [
      { rows: 0, rowsPerSecond: 0, remainingSeconds: 0 },
      { rows: 9, rowsPerSecond: 1 }
    ])
      assert.isUndefined(shareOf(unknown))
  })

  it("without an estimate has none", () => {
    const { remainingSeconds: _, ...rest } = numbers
    const early = JSON.stringify({ ...real, "Estimated Remaining Time": "Not Determined" })
    assert.deepStrictEqual(progressOf(early), rest)
  })

  it("that is half written is none, wherever it breaks off", () => {
    for (let length = 0; length < text.length; length++)
      assert.isUndefined(progressOf(text.slice(0, length)), String(length))
  })

  for (const other of [
    "",
    "null",
    "[]",
    "7",
    `"text"`,
    "{}",
    `{"Synced Records":"many"}`,
    `{"Synced Records":-1}`
  ])
    it(`that is ${other || "empty"} is none`, () => assert.isUndefined(progressOf(other)))

  it("with senseless values keeps what makes sense", () => {
    const odd = { ...real, Speed: "NaN rps", "Bytes Read": 1e300, "Seconds Elapsed": { a: 1 } }
    assert.deepStrictEqual(progressOf(JSON.stringify(odd)), { rows: 120_000, remainingSeconds: 120.01 })
  })

  it.prop(
    "of any values gives numbers that can be shown, or nothing",
    [
      Schema.Record(
        Schema.Literals(["Synced Records", "Speed", "Estimated Remaining Time", "x"]),
        Schema.Json
      )
    ],
    ([stats]) => {
      for (const value of Object.values(progressOf(JSON.stringify(stats)) ?? {}))
        assert.isTrue(Number.isFinite(value) && value >= 0)
    }
  )

  it.prop("of any text at all does no harm", [Schema.String], ([any]) => {
    progressOf(any)
    progressOf(`{"Synced Records":1,"Speed":${JSON.stringify(any)}}`)
  })

  it("of the stand-in connectors has the same keys", () => {
    const script = fs.readFileSync(new URL("../../dev/cluster/images/probe.sh", import.meta.url), "utf8")
    const [, written = ""] = /printf '(\{"Writer Threads".*\})' >/.exec(script) ?? []
    assert.deepStrictEqual(Object.keys(JSON.parse(written) as object), Object.keys(real))
    assert.isDefined(progressOf(written))
  })
})
