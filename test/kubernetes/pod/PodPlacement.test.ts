/** Every row of the order in which profiles and mapping decide. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { parseMapping } from "../../../src/config/JobMapping.ts"
import { parseProfiles } from "../../../src/config/JobProfiles.ts"
import { placementOf, type Rules } from "../../../src/kubernetes/pod/PodPlacement.ts"
import type { Operation } from "../../../src/olake/Job.ts"

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

  // Kubernetes' grammar (apimachinery, validation.go), written down apart from ours.
  const LABEL_KEY =
    /^(?:(?=.{1,253}\/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?(?=.{1,63}$)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/
  const LABEL_VALUE = /^(?=.{0,63}$)(?:[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/
  const Key = Schema.Union([
    Schema.Literals(["node", "a.b/c", " trimmed ", "a b", "-a", "A.b/c", "a/b/c", "/a", "", "x".repeat(64)]),
    Schema.String
  ])
  const Value = Schema.Union([
    Schema.Literals(["gpu", "", " arm ", "a b", "a-", "x".repeat(63), "x".repeat(64)]),
    Schema.String
  ])
  const Entries = Schema.Array(
    Schema.Tuple([Schema.Literals([0, 7, 8]), Schema.Array(Schema.Tuple([Key, Value]))])
  )
  const labelsOf = (entries: typeof Entries.Type) =>
    Object.fromEntries(entries.map(([id, labels]) => [id, Object.fromEntries(labels)]))

  it.prop(
    "is never said by a label that Kubernetes would refuse",
    [Entries, Entries, Schema.Literals(["sync", "check"]), Schema.Literals([0, 7, 9])],
    ([profiles, mapping, operation, jobId]) => {
      const selectors = Object.entries(labelsOf(profiles)).map(([id, nodeSelector]) => [id, { nodeSelector }])
      const given = rules(Object.fromEntries(selectors), labelsOf(mapping))
      const { nodeSelector = {}, affinity: placed } = place(operation, jobId, given)
      const terms = placed?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
      const away = (terms ?? []).flatMap(({ matchExpressions = [] }) => {
        assert.isNotEmpty(matchExpressions)
        return matchExpressions.flatMap(({ key, values = [] }) =>
          values.map((value) => [key, value] as const)
        )
      })
      for (const [key, value] of [...Object.entries(nodeSelector), ...away]) {
        assert.match(key, LABEL_KEY)
        assert.match(value, LABEL_VALUE)
      }
    }
  )

  it("is said the same way whatever the order of labels and jobs", () => {
    const text = (jobId: number, mapping: object) => JSON.stringify(place("sync", jobId, rules({}, mapping)))
    assert.strictEqual(text(7, { 7: { node: "gpu", zone: "b" } }), text(7, { 7: { zone: "b", node: "gpu" } }))
    assert.strictEqual(
      text(9, { 7: { node: "gpu", zone: "b" }, 8: { node: "arm" } }),
      text(9, { 7: { node: "arm" }, 8: { zone: "b", node: "gpu" } })
    )
  })
})
