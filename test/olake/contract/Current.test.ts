import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import {
  ClearRequest,
  DirectRequest,
  SyncEnded,
  SyncRequest,
  timeoutOf
} from "../../../src/olake/contract/Current.ts"

const decode = <A>(schema: Schema.Codec<A, unknown>, wire: unknown) =>
  Schema.decodeUnknownResult(schema)(wire)
const accepted = <A>(schema: Schema.Codec<A, unknown>, wire: unknown): A => {
  const result = decode(schema, wire)
  if (Result.isFailure(result)) throw new Error(String(result.failure))
  return result.success
}

/** As Go writes one: every key, `null` for an empty list. */
const wire = {
  type: "",
  command: "sync",
  connector_type: "postgres",
  version: "v0.2.0",
  args: null,
  configs: null,
  workflow_id: "sync-123-7",
  project_id: "123",
  job_id: 7,
  timeout: 2_592_000_000_000_000,
  output_file: "state.json",
  temp_path: ""
}

describe("an ExecutionRequest", () => {
  it("is read as Go writes it", () => {
    const request = accepted(SyncRequest, wire)
    assert.isNull(request.args)
    assert.deepStrictEqual(timeoutOf(request), Duration.days(30))
  })

  it("of an old schedule knows its job only", () => {
    const request = accepted(SyncRequest, {
      ...wire,
      connector_type: "",
      version: "",
      timeout: 0,
      output_file: ""
    })
    assert.isUndefined(timeoutOf(request))
    assert.strictEqual(accepted(SyncRequest, { command: "sync", job_id: 7, workflow_id: "w" }).project_id, "")
  })

  it("at its end may come from the Go worker, which says nothing of how it went", () => {
    assert.include(accepted(SyncEnded, wire), { began: false, outcome: "unknown" })
  })

  const direct = { ...wire, command: "discover", job_id: 0 }
  const clear = { ...wire, command: "clear-destination", temp_path: "sync-123-7-1/streams.json" }
  const refused: ReadonlyArray<readonly [string, Schema.Codec<unknown, unknown>, object]> = [
    ["command", DirectRequest, { command: "sync" }],
    ["connector_type", DirectRequest, { connector_type: "" }],
    ["connector_type", DirectRequest, { connector_type: "Postgres" }],
    ["version", DirectRequest, { version: "a b" }],
    ["output_file", DirectRequest, { output_file: "../x" }],
    ["output_file", DirectRequest, { output_file: "a/b" }],
    ["configs", DirectRequest, { configs: [{ name: "..", data: "" }] }],
    ["timeout", DirectRequest, { timeout: 1.5 }],
    ["workflow_id", DirectRequest, { workflow_id: "" }],
    ["job_id", SyncRequest, { ...wire, job_id: 0 }],
    ...["", "streams.json", "/etc/passwd", "../a/b", "a/../b", "a/b/", "a\\b/c", "a/b/c/d/e"].map(
      (temp_path) => ["temp_path", ClearRequest, { ...clear, temp_path }] as const
    )
  ]
  for (const [field, schema, over] of refused) {
    it(`is refused for ${JSON.stringify(Object.values(over).at(-1))}, naming ${field}`, () => {
      const result = decode(schema, { ...direct, ...over })
      assert.isTrue(Result.isFailure(result) && String(result.failure).includes(field))
    })
  }

  it("names the file of streams to clear", () =>
    assert.strictEqual(accepted(ClearRequest, clear).temp_path, clear.temp_path))
})
