/** Every row of the order in which profiles and mapping decide; and what a text of either means. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { parseMapping } from "../../src/config/JobMapping.ts"
import { parseProfiles } from "../../src/config/JobProfiles.ts"
import { placementOf, type Rules } from "../../src/kubernetes/PodPlacement.ts"
import type { Operation } from "../../src/olake/Job.ts"

const rules = (profiles: object, mapping: object = {}, keepUnmappedAway = true): Rules => ({
  profiles: parseProfiles(JSON.stringify(profiles))?.entries ?? new Map(),
  mapping: parseMapping(JSON.stringify(mapping))?.entries ?? new Map(),
  keepUnmappedAway
})
const place = (operation: Operation, jobId: number, given: Rules) => placementOf({ operation, jobId }, given)

const selector = (node: string) => ({ nodeSelector: { node } })
const toleration = { key: "dedicated", operator: "Equal", value: "olake", effect: "NoSchedule" }
const affinity = { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } }

describe("where a job runs", () => {
  const both = { 0: selector("default"), 7: selector("own") }
  const labels = { 0: { node: "mapped-default" }, 7: { node: "mapped" } }
  const rows: ReadonlyArray<readonly [string, Operation, number, Rules, string | undefined]> = [
    ["a sync by its own profile", "sync", 7, rules(both, labels), "own"],
    ["a clear-destination too", "clear-destination", 7, rules(both, labels), "own"],
    ["a check of that job by the default profile", "check", 7, rules(both, labels), "default"],
    [
      "another sync by the default profile, before its mapping",
      "sync",
      8,
      rules(both, { 8: { node: "x" } }),
      "default"
    ],
    ["without profiles by its mapping", "sync", 7, rules({}, labels), "mapped"],
    ["a check by the default mapping", "check", 7, rules({}, labels), "mapped-default"],
    ["another sync by the default mapping", "sync", 8, rules({}, labels), "mapped-default"],
    ["a profile that says nothing of nodes means any", "sync", 7, rules({ 7: {} }, labels), undefined],
    ["nothing said: anywhere", "sync", 7, rules({}), undefined],
    ["a request of no job has no entry of its own", "sync", 0, rules({ 7: selector("own") }), undefined]
  ]
  for (const [what, operation, jobId, given, node] of rows) {
    it(`places ${what}`, () =>
      assert.strictEqual(place(operation, jobId, given).nodeSelector?.["node"], node))
  }

  it("tolerations come with the profile, never with the mapping, and a profile is whole", () => {
    const given = rules({ 0: { tolerations: [toleration] }, 7: selector("own") })
    assert.deepStrictEqual(place("sync", 8, given).tolerations, [toleration])
    assert.deepStrictEqual(place("check", 7, given).tolerations, [toleration])
    assert.deepStrictEqual(place("sync", 7, given).tolerations, [])
  })

  it("a profile's affinity counts for every operation of its job", () => {
    const given = rules({ 7: { affinity } })
    assert.deepStrictEqual(place("check", 7, given).affinity, affinity)
    assert.deepStrictEqual(place("sync", 7, given).affinity, affinity)
  })

  it("syncs keep apart from each other where they can, whatever else is said", () => {
    for (const given of [rules({}), rules({ 7: selector("own") }), rules({}, labels)]) {
      assert.isDefined(place("sync", 7, given).affinity?.podAntiAffinity)
    }
    assert.isUndefined(place("check", 7, rules({})).affinity)
  })

  const away = (given: Rules, jobId = 9) =>
    place("sync", jobId, given).affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution

  it("syncs without an entry stay away from nodes that have a purpose", () => {
    const given = rules({}, { 7: { node: "gpu", zone: "b" }, 8: { node: "arm" } })
    assert.deepStrictEqual(away(given), {
      nodeSelectorTerms: [
        {
          matchExpressions: [
            { key: "node", operator: "NotIn", values: ["arm", "gpu"] },
            { key: "zone", operator: "NotIn", values: ["b"] }
          ]
        }
      ]
    })
    assert.isUndefined(away(given, 7))
    assert.isUndefined(away(rules({}, { 0: { node: "x" }, 7: { node: "gpu" } })))
    assert.isUndefined(away(rules({ 9: {} }, { 7: { node: "gpu" } })))
    assert.isUndefined(away(rules({ 0: {} }, { 7: { node: "gpu" } })))
    assert.isUndefined(away(rules({}, { 7: { node: "gpu" } }, false)))
    assert.isUndefined(place("check", 9, given).affinity)
  })
})

describe("profiles", () => {
  const parse = (value: unknown) => parseProfiles(JSON.stringify(value))

  it("hold entry by entry; a bad one is left out, with its path", () => {
    const parsed = parse({
      0: { nodeSelector: null, tolerations: null, affinity: null },
      7: {
        ...selector("own"),
        tolerations: [{ operator: "Exists" }, { ...toleration, effect: "NoExecute", tolerationSeconds: 60 }]
      },
      1: { nodeselector: {} },
      2: { nodeSelector: { "a b": "c" } },
      3: { nodeSelector: { a: "b c" } },
      4: { tolerations: [toleration, { ...toleration, effect: "Never" }] },
      5: { tolerations: [{ operator: "Exists", value: "x" }] },
      6: { tolerations: [{ ...toleration, tolerationSeconds: 5 }] },
      8: { affinity: { nodeaffinity: {} } },
      9: [],
      x: {}
    })
    assert.deepStrictEqual([...(parsed?.entries.keys() ?? [])], [0, 7])
    const problems = parsed?.problems ?? []
    const paths = [
      "1.nodeselector",
      "2.nodeSelector",
      "3.nodeSelector.a",
      "4.tolerations[1].effect",
      "5.tolerations[0]",
      "6.tolerations[0]",
      "8.affinity.nodeaffinity",
      "9",
      "x"
    ]
    assert.lengthOf(problems, paths.length)
    for (const path of paths) {
      assert.isTrue(
        problems.some((problem) => problem.startsWith(`OLAKE_JOB_PROFILES.${path}`)),
        `${path} in ${problems.join("\n")}`
      )
    }
    for (const problem of problems) assert.match(problem, /; this entry is left out$/)
  })

  it("are none where the text is no object", () => {
    for (const text of ["", "[]", "null", "7", "{"]) assert.isUndefined(parseProfiles(text))
  })

  it.prop("no text makes them throw", [Schema.String], ([text]) => {
    parseProfiles(text)
    parseProfiles(JSON.stringify({ 1: { nodeSelector: { [text]: text }, tolerations: [{ key: text }] } }))
    return true
  })
})
