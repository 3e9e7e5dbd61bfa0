/** The Pod that shows an error of GitOps: what it is made of, and what is never deleted for it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import type { V1Pod } from "@kubernetes/client-node"
import { indicator } from "../../src/activity/Indicator.ts"
import { KubernetesClient } from "../../src/kubernetes/api/KubernetesClient.ts"
import { KubernetesError } from "../../src/kubernetes/api/KubernetesError.ts"
import { indicatorPod } from "../../src/kubernetes/pod/IndicatorPod.ts"
import { ownerOf, SELECTOR } from "../../src/kubernetes/pod/PodIdentity.ts"
import type { PodJson } from "../../src/kubernetes/pod/PodJson.ts"
import type { IndicatorRequest } from "../../src/olake/contract/Indicator.ts"
import { testConfig, testConfigLayer } from "../support/TestConfig.ts"

const { jobs } = testConfig()
const request: IndicatorRequest = {
  action: "spawn",
  name: "source-shop",
  namespace: "",
  kind: "source",
  resource_name: "shop",
  cr_name: "",
  message: "no host"
}
const error = (status: number, reason: string) =>
  new KubernetesError({ operation: "x", status, reason, detail: "" })
const old = (labels: Readonly<Record<string, string>>, over: Partial<PodJson["metadata"]> = {}): PodJson => ({
  metadata: { name: "source-shop", uid: "uid-old", labels, ...over }
})
const INDICATOR = { "olake.io/indicator": "true" }

/** What was asked of the cluster. @param there the Pod of that name; `lingers`: how many looks it stays when deleted */
const cluster = (there: PodJson | undefined, lingers = 0) => {
  const asked: Array<string> = []
  const made: Array<V1Pod> = []
  let pod = there
  let left = lingers
  const layer = Layer.mergeAll(
    testConfigLayer({ database: { password: Redacted.make("marker-password") } }),
    Layer.mock(KubernetesClient, {
      namespace: "jobs",
      readPod: () =>
        Effect.suspend(() => {
          if (pod?.metadata.deletionTimestamp !== undefined && left-- <= 0) pod = undefined
          return pod === undefined ? Effect.fail(error(404, "NotFound")) : Effect.succeed(pod)
        }),
      deletePod: (name, uid) =>
        Effect.sync(() => {
          asked.push(`delete ${name} ${uid}`)
          if (pod !== undefined)
            pod = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: "2026-11-25T00:00:00Z" } }
          if (lingers === 0) pod = undefined
        }),
      createPod: (spec) =>
        Effect.suspend(() => {
          asked.push("create")
          if (pod !== undefined) return Effect.fail(error(409, "AlreadyExists"))
          made.push(spec)
          return Effect.succeed(old(INDICATOR, { uid: "uid-new" }))
        })
    })
  )
  return {
    asked,
    made,
    run: (over: Partial<IndicatorRequest> = {}) => Effect.provide(indicator({ ...request, ...over }), layer)
  }
}

describe("an indicator's Pod", () => {
  const pod = (message: string, over: Partial<IndicatorRequest> = {}) =>
    indicatorPod({ ...request, ...over }, message, "jobs", jobs)

  it("is OLake's, and none of the worker's own", () => {
    const { metadata, spec } = pod("no host")
    assert.deepStrictEqual(metadata?.labels, {
      "olake.io/indicator": "true",
      "olake.io/kind": "source",
      "olake.io/resource": "shop",
      "olake.io/phase": "Failed"
    })
    assert.strictEqual(metadata?.annotations?.["olake.io/error"], "no host")
    const [container] = spec?.containers ?? []
    assert.strictEqual(container?.name, "indicator")
    assert.strictEqual(container?.image, "busybox:1.36.1")
    assert.strictEqual(container?.imagePullPolicy, "IfNotPresent")
    assert.deepStrictEqual(container?.env, [{ name: "OLAKE_ERROR", value: "no host" }])
    assert.deepStrictEqual(container?.resources, {
      requests: { cpu: "1m", memory: "4Mi" },
      limits: { cpu: "10m", memory: "16Mi" }
    })
    assert.strictEqual(spec?.restartPolicy, "Never")
    // Neither the watch nor the sweep of orphaned Pods sees it, nor one that somebody labels as managed.
    const [label = "", value = ""] = SELECTOR.split("=")
    assert.notProperty(metadata?.labels, label)
    const labels = { ...metadata?.labels, [label]: value }
    assert.isFalse(ownerOf({ labels, annotations: {} }).isManaged)
    assert.isTrue(ownerOf({ labels: { [label]: value }, annotations: {} }).isManaged)
  })

  it("names the ConfigMap as earlier UIs do, and comes from the installation's registry", () => {
    assert.strictEqual(
      pod("", { resource_name: "", cr_name: "shop_1" }).metadata?.labels?.["olake.io/resource"],
      "shop_1"
    )
    const own = indicatorPod(request, "", "jobs", { ...jobs, registryBase: "registry.example/" })
    assert.strictEqual(own.spec?.containers[0]?.image, "registry.example/busybox:1.36.1")
  })

  it("has no more of the error than Kubernetes takes, on one line where it must, and expands nothing", () => {
    const long = pod(`first\nsecond ${"ä".repeat(4000)}`)
    const [{ value = "" } = { value: "" }] = long.spec?.containers[0]?.env ?? []
    assert.isAtMost(Buffer.byteLength(value), 4096)
    assert.notInclude(value, "\uFFFD")
    assert.match(long.metadata?.annotations?.["olake.io/error"] ?? "", /^first second ä/)
    assert.isAtMost((long.metadata?.annotations?.["olake.io/error"] ?? "").length, 1025)
    assert.strictEqual(pod("$(HOME)").spec?.containers[0]?.env?.[0]?.value, "$$(HOME)")
  })
})

describe("IndicatorActivity", () => {
  it.effect("makes the Pod, without the worker's secrets", () =>
    Effect.gen(function* () {
      const { asked, made, run } = cluster(undefined)
      yield* run({ message: "login marker-password is refused" })
      assert.deepStrictEqual(asked, ["create"])
      assert.notInclude(JSON.stringify(made), "marker-password")
      assert.include(JSON.stringify(made), "login <redacted> is refused")
    })
  )

  it.effect("replaces the one before, and waits for its name", () =>
    Effect.gen(function* () {
      const { asked, made, run } = cluster(old(INDICATOR), 2)
      const fiber = yield* Effect.forkChild(run())
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(asked[0], "delete source-shop uid-old")
      assert.isAbove(asked.length, 2)
      assert.lengthOf(made, 1)
    })
  )

  it.effect("says so where the one before does not go", () =>
    Effect.gen(function* () {
      const { run } = cluster(old(INDICATOR), 1_000)
      const fiber = yield* Effect.forkChild(Effect.flip(run()))
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "IndicatorInTheWay")
    })
  )

  it.effect("deletes it; one that is gone is deleted", () =>
    Effect.gen(function* () {
      const there = cluster(old(INDICATOR))
      yield* there.run({ action: "delete" })
      assert.deepStrictEqual(there.asked, ["delete source-shop uid-old"])
      const gone = cluster(undefined)
      yield* gone.run({ action: "delete" })
      assert.deepStrictEqual(gone.asked, [])
    })
  )

  it.effect("touches no other Pod, and no other namespace", () =>
    Effect.gen(function* () {
      for (const action of ["spawn", "delete"] as const) {
        const { asked, run } = cluster(old({ app: "postgres" }))
        assert.strictEqual((yield* Effect.flip(run({ action })))._tag, "NoIndicator")
        assert.strictEqual(
          (yield* Effect.flip(run({ action, namespace: "kube-system" })))._tag,
          "InvalidRequest"
        )
        assert.deepStrictEqual(asked, [])
      }
      const own = cluster(undefined)
      yield* own.run({ namespace: "jobs" })
      assert.deepStrictEqual(own.asked, ["create"])
    })
  )
})
