import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as path from "node:path"
import { isOperation, isWriter, type Operation, operations } from "../../src/olake/Job.ts"
import * as Workdir from "../../src/olake/Workdir.ts"

describe("directories", () => {
  const all = Object.keys(operations) as ReadonlyArray<Operation> // SAFETY: the keys of that very table
  const id = "sync-123-1-2025-08-26T10:00:00Z"

  it("a writer's is the SHA-256 that OLake's UI computes", () => {
    const writers = all.filter(isWriter)
    assert.deepStrictEqual(writers, ["sync", "clear-destination"])
    for (const writer of writers)
      assert.strictEqual(
        Workdir.of(writer, id),
        "6bc73410f6d786767255ee8bf25a6e181ebded0db2a0152dc14ffc00a499d130"
      )
  })

  it("a short run's is its id, where that can name one", () => {
    for (const operation of all.filter((one) => !isWriter(one))) {
      assert.strictEqual(Workdir.of(operation, id), id)
      assert.isUndefined(Workdir.of(operation, "../x"))
      assert.isString(Workdir.of("sync", "../x"))
    }
  })

  it("no other word is an operation", () => {
    for (const word of ["", "Sync", "toString", 7, undefined]) {
      assert.isFalse(isOperation(word))
      assert.isFalse(isWriter(word))
    }
  })

  for (const id of [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "a\\b",
    "a\u0000b",
    "a\nb",
    "x".repeat(256),
    "telemetry",
    "0".repeat(64)
  ]) {
    it(`refuses ${JSON.stringify(id.slice(0, 20))}`, () =>
      assert.isString(Workdir.problemWithDirectoryName(id)))
  }

  it.prop("an accepted id stays one folder inside the root", [Schema.String], ([id]) => {
    if (Workdir.problemWithDirectoryName(id) !== undefined) return true
    const target = path.resolve("/data/olake-jobs", Workdir.of("discover", id) ?? "")
    return path.dirname(target) === "/data/olake-jobs"
  })
})
