import { assert, describe, it } from "@effect/vitest"
import { filesOf, payloadOf, reportsItself } from "../../../src/olake/telemetry/Payload.ts"
import { countOf, encodeCounter, firstCounter, parseCounter } from "../../../src/olake/telemetry/RunCount.ts"

const facts = {
  name: "orders",
  frequency: "0 * * * *",
  createdAt: "2025-08-26T10:00:00Z",
  sourceName: "shop",
  sourceVersion: "v0.12.0",
  destinationName: "lake",
  destinationVersion: "v0.11.0"
}

describe("telemetry.json", () => {
  it("of a sync has all that is known, in OLake's names", () =>
    assert.strictEqual(
      JSON.stringify(payloadOf("user-1", 7, facts, 3)),
      `{"schema_version":1,"service":"UI","distinct_id":"user-1","job_id":7,"job_name":"orders",` +
        `"environment":"kubernetes","sync_run_count":3,"frequency":"0 * * * *","created_at":"2025-08-26T10:00:00Z",` +
        `"source_name":"shop","source_version":"v0.12.0","destination_name":"lake","destination_version":"v0.11.0"}`
    ))

  it("leaves out what is not known", () =>
    assert.deepStrictEqual(payloadOf("", 0), { schema_version: 1, service: "UI", environment: "kubernetes" }))

  it("is for releases only; the user's id for all, where there is one", () => {
    const names = (userId: string, version: string) =>
      filesOf(userId, version, payloadOf(userId, 7)).map(({ name }) => name)
    assert.deepStrictEqual(names("user-1", "v0.1.0"), ["user_id.txt", "telemetry.json"])
    assert.deepStrictEqual(names("user-1", "latest"), ["user_id.txt"])
    assert.deepStrictEqual(names("", "v0.1.0"), ["telemetry.json"])
  })

  it("makes a connector report itself from v0.9.4 on", () => {
    assert.isTrue(reportsItself("v0.9.4"))
    for (const version of ["v0.9.3", "v0.9.4-dev", "latest"]) assert.isFalse(reportsItself(version), version)
  })
})

describe("the counter of a job's runs", () => {
  it("is read as it is written, and nothing else is a counter", () => {
    assert.strictEqual(encodeCounter(2), `{"run_count":2}`)
    for (const counter of [1, 2, "ineligible"] as const)
      assert.strictEqual(parseCounter(encodeCounter(counter)), counter)
    for (const text of ["", "2", "[]", `{"run_count":"2"}`, `{"run_count":-1}`, `{"run_count":1.5}`, `{"run`])
      assert.isUndefined(parseCounter(text), text)
  })

  it("begins with the job's first run, or not at all", () => {
    for (const started of [0, 1]) assert.strictEqual(firstCounter(started), 1)
    assert.strictEqual(firstCounter(2), "ineligible")
    assert.strictEqual(countOf("ineligible"), 0)
    assert.strictEqual(countOf(undefined), 0)
  })
})
