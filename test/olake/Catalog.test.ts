import { assert, describe, it } from "@effect/vitest"
import * as Catalog from "../../src/olake/Catalog.ts"
import { CLEAR_ARGS, requestedClear, requestedSync, sync, SYNC_ARGS } from "../../src/olake/Connector.ts"

const whole = { form: "whole", streams: "w" } as const
const split = { form: "split", available: "a", selected: "s" } as const
const OTHERS = [
  "sync",
  "--config",
  "/mnt/config/source.json",
  "--destination",
  "/mnt/config/destination.json",
  "--state",
  "/mnt/config/state.json"
]
const SPLIT = [
  "--available-streams",
  "/mnt/config/available_streams.json",
  "--selected-streams",
  "/mnt/config/selected_streams.json"
]

describe("flags of a catalog", () => {
  const asked: Readonly<Record<string, ReadonlyArray<string>>> = {
    "--catalog": [...OTHERS, "--catalog", "/mnt/config/streams.json"],
    "--streams": [...OTHERS.slice(0, 3), "--streams", "/mnt/config/streams.json", ...OTHERS.slice(3)],
    "--streams=": [...OTHERS, "--streams=/mnt/config/streams.json"],
    split: [...OTHERS, ...SPLIT],
    "both, which a connector refuses": [...OTHERS, ...SPLIT, "--streams", "/mnt/config/streams.json"],
    "half a pair": [...OTHERS, "--selected-streams=/mnt/config/selected_streams.json"],
    none: OTHERS
  }

  for (const [what, args] of Object.entries(asked)) {
    it(`${what}: the job's form decides`, () => {
      assert.deepStrictEqual(Catalog.withCatalog(args, "split"), [...OTHERS, ...SPLIT])
      const made = Catalog.withCatalog(args, "whole")
      const isKept = ["--catalog", "--streams", "--streams="].includes(what)
      assert.deepStrictEqual(made, isKept ? args : [...OTHERS, "--catalog", "/mnt/config/streams.json"])
    })
  }

  it("knows the form of arguments in either spelling", () => {
    assert.isTrue(Catalog.isSplit(SPLIT))
    assert.isTrue(Catalog.isSplit(["--available-streams=/x"]))
    assert.isFalse(Catalog.isSplit([...SYNC_ARGS, "/mnt/config/available_streams.json"]))
  })
})

describe("runs with a split catalog", () => {
  const configs = { source: "{}", destination: "{}" }

  it("have both files and never the whole one, by each contract and operation", () => {
    for (const { args, files } of [
      requestedSync(SYNC_ARGS, { ...configs, catalog: split }, true),
      requestedClear(CLEAR_ARGS, { ...configs, catalog: split }),
      sync({ ...configs, catalog: split }, undefined)
    ]) {
      const contents = new Map(files.map(({ name, content }) => [name, content]))
      assert.strictEqual(contents.get("available_streams.json"), "a")
      assert.strictEqual(contents.get("selected_streams.json"), "s")
      assert.isFalse(contents.has("streams.json"))
      assert.deepStrictEqual(args.slice(-4), SPLIT)
      assert.notInclude(args.join(" "), "/streams.json")
    }
  })

  it("leave a whole catalog's arguments as they are", () =>
    assert.deepStrictEqual(requestedClear(CLEAR_ARGS, { ...configs, catalog: whole }).args, CLEAR_ARGS))
})
