import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { parseMapping } from "../../src/config/JobMapping.ts"
import { parseProfiles } from "../../src/config/JobProfiles.ts"

const toleration = { key: "dedicated", operator: "Equal", value: "olake", effect: "NoSchedule" }
const tolerations = (...changes: ReadonlyArray<object>) => ({
  tolerations: changes.map((change) => ({ ...toleration, ...change }))
})
const parse = (entries: object) => {
  const parsed = parseProfiles(JSON.stringify(entries))
  assert.isDefined(parsed)
  return parsed
}

describe("profiles", () => {
  const nodeAffinity = { preferredDuringSchedulingIgnoredDuringExecution: [] }
  const good: ReadonlyArray<readonly [string, object, object?]> = [
    ["that says nothing", {}],
    ["with nothing in it", { nodeSelector: {}, tolerations: [], affinity: {} }],
    [
      "whose YAML had keys without a value",
      { nodeSelector: null, tolerations: null, affinity: null },
      { tolerations: null, affinity: null }
    ],
    ["with all three", { nodeSelector: { "a.b/c": "d" }, ...tolerations({}), affinity: { nodeAffinity } }],
    ["with a label that has no value", { nodeSelector: { "node-role.kubernetes.io/worker": "" } }],
    [
      "with space around a label, as the mapping takes it",
      { nodeSelector: { " node ": " gpu " } },
      { nodeSelector: { node: "gpu" } }
    ],
    ["that tolerates everything", { tolerations: [{ operator: "Exists" }] }],
    ["that tolerates without an operator or effect", { tolerations: [{ key: "a", value: "b" }] }],
    ["that tolerates for a while", tolerations({ effect: "NoExecute", tolerationSeconds: 60 })],
    ["of Pod affinities", { affinity: { podAffinity: {}, podAntiAffinity: {} } }]
  ]
  for (const [what, entry, expected = entry] of good) {
    it(`take one ${what}`, () => {
      const { entries, problems } = parse({ 12: entry })
      assert.deepStrictEqual([...problems], [])
      assert.deepStrictEqual(entries.get(12), expected)
    })
  }

  const bad: ReadonlyArray<readonly [path: string, unknown]> = [
    ["12", []],
    ["12", "gpu"],
    ["12", null],
    ["12.nodeselector", { nodeselector: {} }],
    ["12.nodeSelector", { nodeSelector: ["gpu"] }],
    ["12.nodeSelector.a b: is not a valid label name", { nodeSelector: { "a b": "c" } }],
    ["12.nodeSelector.a..b/c: is not a valid label name", { nodeSelector: { "a..b/c": "d" } }],
    ["12.nodeSelector.a: is not a valid label value", { nodeSelector: { a: "b c" } }],
    ["12.nodeSelector.a: expected a label value", { nodeSelector: { a: 7 } }],
    ["12.tolerations", { tolerations: {} }],
    ["12.tolerations[1].effect", tolerations({}, { effect: "Never" })],
    ["12.tolerations[0].operator", tolerations({ operator: "In" })],
    ["12.tolerations[0].key", tolerations({ key: "a b" })],
    ["12.tolerations[0].value", tolerations({ value: "a b" })],
    ["12.tolerations[0].seconds", tolerations({ seconds: 5 })],
    ["12.tolerations[0]: operator Exists takes no value", tolerations({ operator: "Exists" })],
    ["12.tolerations[0]: without a key", { tolerations: [{ value: "x" }] }],
    ["12.tolerations[0]: tolerationSeconds needs effect NoExecute", tolerations({ tolerationSeconds: 5 })],
    ["12.tolerations[0].tolerationSeconds", tolerations({ effect: "NoExecute", tolerationSeconds: 1.5 })],
    ["12.affinity", { affinity: [] }],
    ["12.affinity.nodeaffinity", { affinity: { nodeaffinity: {} } }],
    ["12.affinity.nodeAffinity", { affinity: { nodeAffinity: [] } }]
  ]
  for (const [path, entry] of bad) {
    it(`leave out one with a line for ${path}: ${JSON.stringify(entry)}`, () => {
      const { entries, problems } = parse({ 12: entry, 13: {} })
      assert.deepStrictEqual([...entries.keys()], [13])
      assert.lengthOf(problems, 1)
      assert.match(problems[0] ?? "", /; this entry is left out$/)
      const line = `OLAKE_JOB_PROFILES.${path}${path.includes(":") ? "" : ":"}`
      assert.strictEqual(problems[0]?.slice(0, line.length), line)
    })
  }

  it("are of jobs, which have whole numbers, each once", () => {
    const { entries, problems } = parse({ 0: {}, 7: {}, "07": {}, "-1": {}, "1.5": {}, x: {} })
    assert.deepStrictEqual([...entries.keys()], [0, 7])
    assert.deepStrictEqual(
      problems.map((line) => line.split(":")[0]),
      ["07", "-1", "1.5", "x"].map((id) => `OLAKE_JOB_PROFILES.${id}`)
    )
  })

  it("and mappings are none where the text is no object", () => {
    for (const text of ["", "[]", "null", "7", "{"]) {
      assert.isUndefined(parseProfiles(text))
      assert.isUndefined(parseMapping(text))
    }
  })

  it.prop("no text makes them throw", [Schema.String], ([text]) => {
    parseProfiles(text)
    parseProfiles(JSON.stringify({ 1: { nodeSelector: { [text]: text }, tolerations: [{ key: text }] } }))
    return true
  })
})

describe("a mapping", () => {
  it("has an entry for all the others, and one may say: anywhere", () => {
    const { entries, problems } = parseMapping(`{"0":{"node":"any"},"7":{}}`) ?? {}
    assert.deepStrictEqual(
      [...(entries ?? [])],
      [
        [0, { node: "any" }],
        [7, {}]
      ]
    )
    assert.deepStrictEqual([...(problems ?? ["none"])], [])
  })

  it("knows no label without a value, as the Go worker", () =>
    assert.deepStrictEqual(
      [...(parseMapping(`{"7":{"node":" "}}`)?.problems ?? [])],
      ["OLAKE_JOB_MAPPING.7.node: expected a label value; this entry is left out"]
    ))
})
