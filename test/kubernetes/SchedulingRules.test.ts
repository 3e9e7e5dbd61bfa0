/** Rules that change while the worker runs, as the chart's ConfigMap does. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import type * as http from "node:http"
import { LocalPods } from "../../dev/local-pods/LocalPods.ts"
import { KubernetesClient } from "../../src/kubernetes/api/KubernetesClient.ts"
import { KubernetesError } from "../../src/kubernetes/api/KubernetesError.ts"
import { PodRunner } from "../../src/kubernetes/PodRunner.ts"
import { ownerOf } from "../../src/kubernetes/pod/PodIdentity.ts"
import { fromPod } from "../../src/kubernetes/pod/PodView.ts"
import { SchedulingRules } from "../../src/kubernetes/SchedulingRules.ts"
import type { Job } from "../../src/olake/Job.ts"
import { eventually } from "../support/Conditions.ts"
import { kubeWorld, noFaults, running } from "../support/KubeWorld.ts"
import { json, scriptedApi } from "../support/scripted/ScriptedApi.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

const NAME = "olake-workers-config"
const configMap = (version: number, data: Readonly<Record<string, string>>) => ({
  metadata: { name: NAME, resourceVersion: String(version) },
  data
})
const mapping = (node: string) => ({ OLAKE_JOB_MAPPING: JSON.stringify({ 7: { node } }) })
const profiles = (node: string) => ({ OLAKE_JOB_PROFILES: JSON.stringify({ 7: { nodeSelector: { node } } }) })
const environment = { mapping: new Map([[7, { node: "environment" }]]) }

interface Api {
  /** The ConfigMaps of the list; it is not answered where there is none. */
  items: ReadonlyArray<object> | undefined
  lists: number
  /** Watches that were begun. */
  opened: number
  watches: Set<http.ServerResponse>
}

interface World {
  readonly api: Api
  /** The node of job 7 by mapping and by profile. */
  readonly nodes: Effect.Effect<string>
  readonly send: (type: string, object: object) => void
  readonly log: () => string
}

const logInto = (lines: Array<string>) =>
  Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])

const nodesOf = Effect.map(SchedulingRules, ({ current }) =>
  Effect.map(
    current,
    (rules) => `${rules.mapping.get(7)?.["node"]} ${rules.profiles.get(7)?.nodeSelector?.["node"]}`
  )
)

const test = (title: string, items: Api["items"], program: (world: World) => Effect.Effect<void, unknown>) =>
  it.live(title, () =>
    Effect.gen(function* () {
      const api: Api = { items, lists: 0, opened: 0, watches: new Set() }
      const { kubeconfigPath } = yield* scriptedApi(({ url }, response) => {
        const { pathname, searchParams } = new URL(url, "http://x")
        assert.strictEqual(pathname, "/api/v1/namespaces/default/configmaps")
        assert.strictEqual(searchParams.get("fieldSelector"), `metadata.name=${NAME}`)
        if (searchParams.has("watch")) {
          response.writeHead(200).flushHeaders()
          api.opened += 1
          api.watches.add(response)
          response.once("close", () => api.watches.delete(response))
        } else {
          api.lists += 1
          if (api.items !== undefined)
            json(response, 200, { items: api.items, metadata: { resourceVersion: "1" } })
        }
      })
      const lines: Array<string> = []
      const settings = testConfigLayer({ kubernetes: { kubeconfig: kubeconfigPath }, jobs: environment })
      const layer = SchedulingRules.layer.pipe(
        Layer.provide(KubernetesClient.layer),
        Layer.provide(settings),
        Layer.provide(logInto(lines))
      )
      const nodes = yield* Effect.provide(nodesOf, yield* Layer.build(layer))
      yield* program({
        api,
        nodes,
        send: (type, object) => {
          for (const watch of api.watches) watch.write(`${JSON.stringify({ type, object })}\n`)
        },
        log: () => lines.join("\n")
      })
    }).pipe(Effect.scoped)
  )

const until = ({ nodes }: World, expected: string) =>
  eventually(`the nodes are ${expected}`, async () =>
    (await Effect.runPromise(nodes)) === expected ? true : undefined
  )
const watching = ({ api }: World) => eventually("it watches", () => (api.watches.size > 0 ? true : undefined))
const logged = ({ log }: World, pattern: RegExp) =>
  eventually(`a line like ${pattern}`, () => (pattern.test(log()) ? true : undefined))
/** Frames of a watch are taken in their order: once this one holds, all before it was read. */
const settled = (world: World) =>
  Effect.gen(function* () {
    world.send("MODIFIED", configMap(90, { ...mapping("settled"), OLAKE_JOB_PROFILES: "{}" }))
    yield* until(world, "settled undefined")
  })
const changes = ({ log }: World) => log().match(/has \d+ entries now/g)?.length ?? 0

describe("scheduling rules", () => {
  test("are the environment's where there is no ConfigMap, then those of one that comes", [], (world) =>
    Effect.gen(function* () {
      const { nodes, send, log } = world
      yield* watching(world)
      assert.strictEqual(yield* nodes, "environment undefined")
      assert.strictEqual(log(), "")
      send("ADDED", configMap(2, { ...mapping("gpu"), ...profiles("big") }))
      yield* until(world, "gpu big")
      send("MODIFIED", configMap(3, { ...mapping("arm"), ...profiles("big") }))
      yield* until(world, "arm big")
      assert.strictEqual(changes(world), 3)
      assert.include(log(), `ConfigMap ${NAME}: OLAKE_JOB_PROFILES has 1 entries now`)
    })
  )

  test("that say the same again are no change", [configMap(1, mapping("environment"))], (world) =>
    Effect.gen(function* () {
      yield* watching(world)
      const spaced = mapping("environment").OLAKE_JOB_MAPPING.replaceAll(":", " : ")
      world.send("MODIFIED", configMap(2, { OLAKE_JOB_MAPPING: spaced, LOG_LEVEL: "debug" }))
      world.send("MODIFIED", configMap(3, { OLAKE_JOB_MAPPING: "{" }))
      world.send("MODIFIED", configMap(4, mapping("environment")))
      yield* logged(world, /no JSON object/)
      assert.strictEqual(yield* world.nodes, "environment undefined")
      assert.strictEqual(changes(world), 0)
      yield* settled(world)
      assert.strictEqual(changes(world), 1)
    })
  )

  test(
    "keep what held where the next is broken or deleted",
    [configMap(1, { ...mapping("gpu"), ...profiles("big") })],
    (world) =>
      Effect.gen(function* () {
        const { nodes, send, log } = world
        yield* watching(world)
        yield* until(world, "gpu big")
        send("MODIFIED", configMap(2, { OLAKE_JOB_MAPPING: "{", OLAKE_JOB_PROFILES: "[]" }))
        const bad = { OLAKE_JOB_MAPPING: `{"7":{"a b":"c"}}`, OLAKE_JOB_PROFILES: `{"7":{"x":1}}` }
        send("MODIFIED", configMap(3, bad))
        send("DELETED", configMap(4, mapping("deleted")))
        send("ADDED", { metadata: { name: "other", resourceVersion: "5" }, data: mapping("other") })
        // A good entry beside a bad one holds, and so does the key beside a broken one.
        send("MODIFIED", configMap(6, { ...bad, OLAKE_JOB_MAPPING: `{"7":{"node":"b"},"x":{}}` }))
        yield* until(world, "b big")
        assert.strictEqual(changes(world), 3)
        const paths = ["OLAKE_JOB_MAPPING.7.a b:", "OLAKE_JOB_PROFILES.7.x:", "OLAKE_JOB_MAPPING.x:"]
        for (const path of paths) assert.lengthOf(log().split(path), 2, path)
        assert.lengthOf(log().match(/holds no valid entry; what held/g) ?? [], 2)
        assert.lengthOf(log().match(/for it is no JSON object; what held/g) ?? [], 2)
        assert.strictEqual(yield* nodes, "b big")
      })
  )

  test(
    "are the environment's again where a key is taken out or left blank, and none where it says so",
    [configMap(1, { ...mapping("gpu"), ...profiles("big") })],
    (world) =>
      Effect.gen(function* () {
        yield* watching(world)
        yield* until(world, "gpu big")
        world.send("MODIFIED", configMap(2, profiles("big")))
        yield* until(world, "environment big")
        assert.include(world.log(), "OLAKE_JOB_MAPPING has 1 entries now, the environment's")
        world.send("MODIFIED", configMap(3, { OLAKE_JOB_MAPPING: "{}", OLAKE_JOB_PROFILES: " " }))
        yield* until(world, "undefined undefined")
      })
  )

  test("are read anew where the version has expired", [configMap(1, mapping("gpu"))], (world) =>
    Effect.gen(function* () {
      const { api, send } = world
      yield* watching(world)
      api.items = [configMap(8, mapping("arm"))]
      send("ERROR", { kind: "Status", code: 410, reason: "Expired", message: "too old" })
      yield* until(world, "arm undefined")
      assert.strictEqual(api.lists, 2)
      yield* eventually("it watches again", () => (api.opened === 2 ? true : undefined))
      api.items = []
      send("ERROR", { kind: "Status", code: 410, reason: "Expired", message: "too old" })
      yield* eventually("the third list", () => (api.lists === 3 ? true : undefined))
      yield* watching(world)
      assert.strictEqual(yield* world.nodes, "arm undefined")
    })
  )

  test("wait for no answer of the API server", undefined, (world) =>
    Effect.gen(function* () {
      yield* eventually("it was asked", () => (world.api.lists > 0 ? true : undefined))
      assert.strictEqual(yield* world.nodes, "environment undefined")
    })
  )
})

const refusal = new KubernetesError({
  operation: "list ConfigMaps",
  status: 403,
  reason: "Forbidden",
  detail: "no right"
})

it.effect("no right to read the ConfigMap costs one line, and a look every 5 minutes", () =>
  Effect.gen(function* () {
    let granted = false
    let lists = 0
    const lines: Array<string> = []
    const client = Layer.mock(KubernetesClient, {
      namespace: "default",
      listConfigMap: () =>
        Effect.suspend(() => {
          lists += 1
          return granted
            ? Effect.succeed({ items: [configMap(1, mapping("gpu"))], resourceVersion: "1" })
            : Effect.fail(refusal)
        }),
      watchConfigMap: () =>
        Stream.concat(
          Stream.succeed({ type: "BOOKMARK" as const, object: configMap(2, {}) }),
          Stream.fromEffect(Effect.andThen(Effect.sleep("1 hour"), Effect.fail(refusal)))
        )
    })
    const layer = SchedulingRules.layer.pipe(
      Layer.provide([client, testConfigLayer({ jobs: environment }), logInto(lines)])
    )
    const nodes = yield* Effect.provide(nodesOf, yield* Layer.build(layer))
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(yield* nodes, "environment undefined")
    assert.strictEqual(lists, 13)
    assert.lengthOf(lines, 1)
    assert.include(lines[0] ?? "", `no right to follow ConfigMap ${NAME}`)
    granted = true
    yield* TestClock.adjust("5 minutes")
    assert.strictEqual(yield* nodes, "gpu undefined")
    assert.lengthOf(lines, 2)
    // Lost again after it was there: said again, once.
    granted = false
    yield* TestClock.adjust("3 hours")
    assert.strictEqual(yield* nodes, "gpu undefined")
    assert.lengthOf(lines, 3)
  }).pipe(Effect.scoped)
)

const sync: Job = {
  operation: "sync",
  connector: "postgres",
  version: "v1",
  args: ["sync"],
  secretKey: undefined,
  directory: "w-1",
  files: [],
  jobId: 7,
  run: { temporalNamespace: "default", taskQueue: "q", workflowId: "w-1", runId: "r-1" },
  temporalNamespaceId: "",
  timeout: Duration.hours(1)
}

it.live("the next Pod stands where the ConfigMap says when it is made", () =>
  Effect.gen(function* () {
    const { url, pods, requests } = yield* LocalPods
    const runner = yield* PodRunner
    yield* eventually("the watch", () => ((requests()["watch configmaps"] ?? 0) > 0 ? true : undefined))
    const change = (method: string, path: string, body: object) =>
      Effect.promise(() =>
        fetch(`${url}/api/v1/namespaces/default/configmaps${path}`, {
          method,
          headers: { "content-type": "application/merge-patch+json" },
          body: JSON.stringify(body)
        })
      )
    const tolerations = [{ key: "dedicated", operator: "Exists" }]
    const placed = (jobId: number) =>
      Effect.gen(function* () {
        const job = { ...sync, jobId, run: { ...sync.run, workflowId: `w-${jobId}` } }
        yield* runner.create(job)
        const spec = pods().find((pod) => ownerOf(fromPod(pod)).jobId === jobId)?.["spec"]
        assert.isDefined(spec)
        const { nodeSelector, tolerations: tolerated } = Object(spec)
        return { nodeSelector, tolerations: tolerated }
      })
    /** Of ever new jobs, for a change takes a moment to arrive. */
    const eventuallyPlaced = (from: number, node: string) =>
      Effect.gen(function* () {
        for (let jobId = from; ; jobId++) {
          const found = yield* placed(jobId)
          if (found.nodeSelector?.node === node) return found
        }
      }).pipe(Effect.timeout("10 seconds"))
    assert.deepStrictEqual(yield* placed(10), { nodeSelector: undefined, tolerations: [] })
    const inForce = (node: string) => ({
      data: { OLAKE_JOB_PROFILES: JSON.stringify({ 0: { nodeSelector: { node }, tolerations } }) }
    })
    yield* change("POST", "", { kind: "ConfigMap", metadata: { name: NAME }, ...inForce("gpu") })
    assert.deepStrictEqual(yield* eventuallyPlaced(20, "gpu"), { nodeSelector: { node: "gpu" }, tolerations })
    yield* change("PATCH", `/${NAME}`, inForce("arm"))
    yield* eventuallyPlaced(40, "arm")
  }).pipe(Effect.scoped, Effect.provide(kubeWorld(noFaults(), () => running, {}, SchedulingRules.layer)))
)
