import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DiscoverParams, SyncParams, TestParams } from "../../../src/olake/contract/Legacy.ts"

const ui = {
  SourceType: "postgres",
  Version: "v0.2.0",
  Config: `"AAAA"`,
  SourceID: 0,
  Command: "discover",
  DestConfig: "",
  DestID: 0,
  WorkflowID: "discover-catalog-postgres-1",
  StreamsConfig: "",
  Flag: ""
}

const decode = <S extends Schema.ConstraintDecoder<unknown>>(schema: S, wire: unknown) =>
  Effect.runSyncExit(Schema.decodeUnknownEffect(schema, { errors: "all" })(wire))

const messageOf = (schema: Schema.ConstraintDecoder<unknown>, wire: unknown): string => {
  const exit = decode(schema, wire)
  return exit._tag === "Failure" ? String(exit.cause) : "decoded"
}

describe("what OLake's UI sends", () => {
  it("decodes, with JobID left out", () => {
    const exit = decode(DiscoverParams, ui)
    assert(exit._tag === "Success")
    assert.strictEqual(exit.value.JobID, 0)
  })

  it("decodes for a test with its flag", () =>
    assert.strictEqual(decode(TestParams, { ...ui, Flag: "destination" })._tag, "Success"))

  it("decodes a sync", () =>
    assert.strictEqual(decode(SyncParams, { JobID: 7, WorkflowID: "w" })._tag, "Success"))
})

describe("malformed requests name the field", () => {
  const discover: ReadonlyArray<readonly [string, unknown]> = [
    ["SourceType", { ...ui, SourceType: 5 }],
    ["SourceType", { ...ui, SourceType: "" }],
    ["SourceType", { ...ui, SourceType: "../evil" }],
    ["SourceType", { ...ui, SourceType: "Postgres" }],
    ["SourceType", { ...ui, SourceType: "postgres:latest" }],
    ["Version", { ...ui, Version: "" }],
    ["Version", { ...ui, Version: "v1@sha256:0" }],
    ["Version", { ...ui, Version: "x".repeat(129) }],
    ["Config", { ...ui, Config: { host: "db" } }],
    ["Config", { ...ui, Config: "  " }],
    ["WorkflowID", { ...ui, WorkflowID: "" }],
    ["WorkflowID", { ...ui, WorkflowID: undefined }],
    ["JobID", { ...ui, JobID: -1 }],
    ["JobID", { ...ui, JobID: 1.5 }],
    ["JobID", { ...ui, JobID: "7" }],
    ["StreamsConfig", { ...ui, StreamsConfig: null }]
  ]
  for (const [index, [field, wire]] of discover.entries()) {
    it(`discover ${index}: ${field}`, () => assert.include(messageOf(DiscoverParams, wire), field))
  }
  for (const Flag of [undefined, "", "source", 1]) {
    it(`test: Flag ${String(Flag)}`, () => assert.include(messageOf(TestParams, { ...ui, Flag }), "Flag"))
  }
  for (const JobID of [undefined, null, 0, -3, 1.5, "7", Number.NaN]) {
    it(`sync: JobID ${String(JobID)}`, () =>
      assert.include(messageOf(SyncParams, { JobID, WorkflowID: "w" }), "JobID"))
  }
})
