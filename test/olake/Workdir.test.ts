import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as path from "node:path"
import { ofShortRun, ofSync, problemWithDirectoryName } from "../../src/olake/Workdir.ts"

describe("directories", () => {
  it("a sync's is the SHA-256 that OLake's UI computes", () =>
    assert.strictEqual(
      ofSync("sync-123-1-2025-08-26T10:00:00Z"),
      "6bc73410f6d786767255ee8bf25a6e181ebded0db2a0152dc14ffc00a499d130"
    ))

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
    it(`refuses ${JSON.stringify(id.slice(0, 20))}`, () => assert.isString(problemWithDirectoryName(id)))
  }

  it.prop("an accepted id stays one folder inside the root", [Schema.String], ([id]) => {
    if (problemWithDirectoryName(id) !== undefined) return true
    const target = path.resolve("/data/olake-jobs", ofShortRun(id))
    return path.dirname(target) === "/data/olake-jobs"
  })
})
