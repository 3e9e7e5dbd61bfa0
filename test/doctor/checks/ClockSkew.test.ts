import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { runAll } from "../../../src/doctor/Check.ts"
import { judge } from "../../../src/doctor/checks/ClockSkew.ts"
import { kubernetesChecks } from "../../../src/doctor/checks/KubernetesChecks.ts"
import { KubernetesClient } from "../../../src/kubernetes/api/KubernetesClient.ts"
import { json, scriptedApi } from "../../support/scripted/ScriptedApi.ts"
import { testConfig, testConfigLayer } from "../../support/TestConfig.ts"

describe("clock skew", () => {
  for (const [skew, status, words] of [
    [4_900, "ok", "agrees"],
    [-4_900, "ok", "agrees"],
    [7_340, "warning", "7.3 s ahead of this one"],
    [-59_000, "warning", "59 s behind this one"],
    [61_000, "problem", "61 s ahead of this one"],
    [Number.NaN, "skipped", "not told"]
  ] as const) {
    it(`${skew} ms`, () => {
      const verdict = judge("Temporal's", skew)
      assert.strictEqual(verdict.status, status)
      assert.include(verdict.found, words)
      assert.strictEqual("fix" in verdict, status === "warning" || status === "problem")
    })
  }

  const checkedAt = (offset: number) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { kubeconfigPath } = yield* scriptedApi((_, response) =>
          json(
            response,
            200,
            { gitVersion: "v1.34.4" },
            { date: new Date(Date.now() + offset).toUTCString() }
          )
        )
        const config = { kubernetes: { kubeconfig: kubeconfigPath } }
        const checks = kubernetesChecks(testConfig(config), { connector: "c", version: "v" })
        const client = KubernetesClient.layer.pipe(Layer.provideMerge(testConfigLayer(config)))
        const clock = checks.filter(({ name }) => name === "kubernetes.clock")
        const [found] = yield* runAll(clock).pipe(Effect.provide(client))
        return found
      })
    )

  it.live("the API server's clock is the Date of its answers", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* checkedAt(0))?.status, "ok")
      const ahead = yield* checkedAt(3_600_000)
      assert.strictEqual(ahead?.status, "problem")
      assert.match(
        ahead?.found ?? "",
        /^the API server's clock is 3(599|600|601)(\.\d)? s ahead of this one$/
      )
      assert.include(ahead?.fix ?? "", "timedatectl set-ntp true")
    })
  )
})
