import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import {
  connectionStatus,
  errorLines,
  lastErrorLine,
  lastJsonObject
} from "../../src/olake/ConnectorOutput.ts"

const stdout = [
  "\u001b[90m2026-11-23T17:00:00Z\u001b[0m \u001b[32mINFO\u001b[0m starting",
  `\u001b[90m2026-11-23T17:00:01Z\u001b[0m \u001b[32mINFO\u001b[0m {"connectionStatus":{"message":"no route {to} host","status":"FAILED"},"type":"CONNECTION_STATUS"}`,
  "\u001b[90m2026-11-23T17:00:01Z\u001b[0m \u001b[31mFATAL\u001b[0m connection check failed"
].join("\n")

const olakeLog = [
  `{"level":"info","message":"starting","time":"2026-11-23T17:00:00Z"}`,
  `{"level":"info","message":{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}},"time":"2026-11-23T17:00:01Z"}`,
  `{"level":"error","message":"slot missing","time":"2026-11-23T17:00:02Z"}`,
  `{"level":"info","message":"bye","time":"2026-11-23T17:00:03Z"}`
].join("\n")

describe("connectionStatus", () => {
  it("reads standard output, coloured and with braces in the message", () =>
    assert.deepStrictEqual(connectionStatus(stdout), { status: "FAILED", message: "no route {to} host" }))

  it("reads olake.log, where a success has no message", () =>
    assert.deepStrictEqual(connectionStatus(olakeLog), { status: "SUCCEEDED", message: "" }))

  it("takes the last of several", () =>
    assert.strictEqual(connectionStatus(`${stdout}\n${olakeLog}`)?.status, "SUCCEEDED"))

  for (const text of [
    "",
    "connectionStatus",
    `{"connectionStatus":{}}`,
    `{"connectionStatus":{"status":1}}`,
    `x {"connectionStatus":`
  ]) {
    it(`finds none in ${JSON.stringify(text)}`, () => assert.isUndefined(connectionStatus(text)))
  }

  it.prop(
    "never throws, and finds what a connector printed after any noise",
    [Schema.String, Schema.String],
    ([noise, message]) => {
      connectionStatus(noise)
      const line = JSON.stringify({ connectionStatus: { status: "FAILED", message } })
      const found = connectionStatus(`${noise}\n${line}\n`)
      // Colours are taken out before anything is read.
      return line.includes("\u001b") || (found?.status === "FAILED" && found.message === message)
    }
  )
})

describe("lastErrorLine", () => {
  it("takes the last error of olake.log, not the last line", () =>
    assert.strictEqual(lastErrorLine(olakeLog), "slot missing"))
  it("takes the FATAL text of standard output", () =>
    assert.strictEqual(lastErrorLine(stdout), "connection check failed"))
  it("falls back to the last line that says anything", () =>
    assert.strictEqual(lastErrorLine("one\ntwo\n\n"), "two"))
  it("finds nothing in nothing", () => assert.isUndefined(lastErrorLine("\n \n")))
  it("keeps an object message readable", () =>
    assert.strictEqual(lastErrorLine(`{"level":"fatal","message":{"code":7}}`), `{"code":7}`))
  it.prop("is bounded", [Schema.String], ([text]) => (lastErrorLine(text.repeat(50)) ?? "").length <= 601)
})

describe("lastJsonObject", () => {
  it("is the last line with an object, whatever stands around it", () => {
    const colour = "\u001b[90m2026\u001b[0m \u001b[32mINFO\u001b[0m"
    assert.deepStrictEqual(lastJsonObject(`{"a":1}\n${colour} {"b":2}\n\nFATAL {broken}\n`), { b: 2 })
    for (const text of ["", "nothing", "[1]", "}{"]) assert.isUndefined(lastJsonObject(text))
  })
})

describe("errorLines", () => {
  it("are the last few, in their order, none twice", () => {
    const line = (level: string, message: string) => JSON.stringify({ level, message })
    const log = [
      line("error", "one"),
      line("info", "fine"),
      line("error", "two"),
      line("fatal", "two"),
      line("fatal", "three")
    ].join("\n")
    assert.deepStrictEqual(errorLines(log, 2), ["two", "three"])
    assert.deepStrictEqual(errorLines(log, 9), ["one", "two", "three"])
    assert.deepStrictEqual(errorLines("all is well", 9), [])
  })
})
