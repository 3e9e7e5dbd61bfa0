import { assert, describe, it } from "@effect/vitest"
import { fits } from "../../../src/doctor/checks/NodeMatch.ts"

type Placed = Parameters<typeof fits>[1]

const labels = { zone: "a", "node-type": "gpu", generation: "7" }
const node = { metadata: { name: "n1", labels } }
const tainted = (effect: string, value?: string) => ({
  ...node,
  spec: { taints: [{ key: "gpu", effect, ...(value === undefined ? {} : { value }) }] }
})

const required = (
  ...matchExpressions: ReadonlyArray<{ key: string; operator: string; values?: Array<string> }>
) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [...matchExpressions] }]
      }
    }
  }
})

describe("a node", () => {
  const cases: ReadonlyArray<readonly [string, Parameters<typeof fits>[0], Placed, boolean]> = [
    ["takes a Pod without wishes", node, {}, true],
    ["with its labels", node, { nodeSelector: { zone: "a", "node-type": "gpu" } }, true],
    ["not with another value", node, { nodeSelector: { zone: "b" } }, false],
    ["not with a label it has not", { metadata: {} }, { nodeSelector: { zone: "a" } }, false],
    ["In", node, required({ key: "zone", operator: "In", values: ["b", "a"] }), true],
    ["In, others", node, required({ key: "zone", operator: "In", values: ["b"] }), false],
    ["NotIn", node, required({ key: "zone", operator: "NotIn", values: ["a"] }), false],
    ["NotIn, not there", node, required({ key: "none", operator: "NotIn", values: ["a"] }), true],
    ["Exists", node, required({ key: "zone", operator: "Exists" }), true],
    ["DoesNotExist", node, required({ key: "zone", operator: "DoesNotExist" }), false],
    ["Gt", node, required({ key: "generation", operator: "Gt", values: ["6"] }), true],
    ["Lt", node, required({ key: "generation", operator: "Lt", values: ["6"] }), false],
    [
      "every expression counts",
      node,
      required({ key: "zone", operator: "Exists" }, { key: "none", operator: "Exists" }),
      false
    ],
    ["an empty term fits nothing", node, required(), false],
    ["keeps off who does not tolerate its taint", tainted("NoSchedule"), {}, false],
    ["a preference keeps nobody off", tainted("PreferNoSchedule"), {}, true],
    [
      "a taint is tolerated by key",
      tainted("NoSchedule"),
      { tolerations: [{ key: "gpu", operator: "Exists" }] },
      true
    ],
    ["or by all", tainted("NoExecute"), { tolerations: [{ operator: "Exists" }] }, true],
    [
      "not with another effect",
      tainted("NoExecute"),
      { tolerations: [{ operator: "Exists", effect: "NoSchedule" }] },
      false
    ],
    ["by value", tainted("NoSchedule", "yes"), { tolerations: [{ key: "gpu", value: "yes" }] }, true],
    [
      "not by another value",
      tainted("NoSchedule", "yes"),
      { tolerations: [{ key: "gpu", value: "no" }] },
      false
    ]
  ]
  for (const [what, given, placed, expected] of cases)
    it(`${what}: ${String(expected)}`, () => assert.strictEqual(fits(given, placed), expected))
})
