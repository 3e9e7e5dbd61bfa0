/** Rules that change while the worker runs, as the chart's ConfigMap does. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as http from "node:http"
import { KubernetesClient } from "../../src/kubernetes/KubernetesClient.ts"
import { SchedulingRules } from "../../src/kubernetes/SchedulingRules.ts"
import { eventually } from "../dev/support.ts"
import { json, scriptedApi } from "../support/ScriptedApi.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

const configMap = (version: number, data: Readonly<Record<string, string>>) => ({
  metadata: { name: "olake-workers-config", resourceVersion: String(version) },
  data
})
const mapping = (node: string) => ({ OLAKE_JOB_MAPPING: JSON.stringify({ 7: { node } }) })

interface Api {
  /** The ConfigMaps of the list. */
  items: ReadonlyArray<object>
  /** Instead of an answer to a list. */
  refuse: number | undefined
  lists: number
  watches: Set<http.ServerResponse>
}

const test = (
  title: string,
  items: ReadonlyArray<object>,
  program: (world: {
    readonly api: Api
    readonly nodeOf: Effect.Effect<string | undefined>
    readonly send: (type: string, object: object) => void
    readonly log: () => string
  }) => Effect.Effect<void, unknown>
) =>
  it.live(title, () =>
    Effect.gen(function* () {
      const api: Api = { items, refuse: undefined, lists: 0, watches: new Set() }
      const { kubeconfigPath } = yield* scriptedApi(({ url }, response) => {
        const { searchParams } = new URL(url, "http://x")
        assert.strictEqual(searchParams.get("fieldSelector"), "metadata.name=olake-workers-config")
        if (searchParams.has("watch")) {
          response.writeHead(200).flushHeaders()
          api.watches.add(response)
        } else {
          api.lists += 1
          if (api.refuse === undefined)
            json(response, 200, { items: api.items, metadata: { resourceVersion: "1" } })
          else json(response, api.refuse, { reason: "Forbidden", message: "no right" })
        }
      })
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      const settings = testConfigLayer({
        kubernetes: { kubeconfig: kubeconfigPath },
        jobs: { mapping: new Map([[7, { node: "environment" }]]) }
      })
      const layer = SchedulingRules.layer.pipe(
        Layer.provide(KubernetesClient.layer),
        Layer.provide(settings),
        Layer.provide(Logger.layer([logger]))
      )
      const { current } = yield* Effect.map(Layer.build(layer), (built) => built).pipe(
        Effect.flatMap((built) => Effect.provide(SchedulingRules, built))
      )
      yield* program({
        api,
        nodeOf: Effect.map(current, (rules) => rules.mapping.get(7)?.["node"]),
        send: (type, object) => {
          for (const watch of api.watches) watch.write(`${JSON.stringify({ type, object })}\n`)
        },
        log: () => lines.join("\n")
      })
    }).pipe(Effect.scoped)
  )

const becomes = (nodeOf: Effect.Effect<string | undefined>, node: string) =>
  eventually(`the node is ${node}`, async () =>
    (await Effect.runPromise(nodeOf)) === node ? true : undefined
  )
const watching = (api: Api) => eventually("it watches", () => (api.watches.size > 0 ? true : undefined))

describe("scheduling rules", () => {
  test(
    "are the environment's where there is no ConfigMap, then those of one that comes",
    [],
    ({ api, nodeOf, send, log }) =>
      Effect.gen(function* () {
        yield* watching(api)
        assert.strictEqual(yield* nodeOf, "environment")
        send("ADDED", configMap(2, mapping("gpu")))
        yield* becomes(nodeOf, "gpu")
        send("MODIFIED", configMap(3, mapping("arm")))
        yield* becomes(nodeOf, "arm")
        send("MODIFIED", configMap(4, { ...mapping("arm"), LOG_LEVEL: "debug" }))
        send("MODIFIED", configMap(5, mapping("last")))
        yield* becomes(nodeOf, "last")
        assert.lengthOf(log().match(/OLAKE_JOB_MAPPING has 1 entries now/g) ?? [], 3)
      })
  )

  test(
    "keep what held where the next is broken, says nothing, or is deleted",
    [configMap(1, mapping("gpu"))],
    ({ api, nodeOf, send, log }) =>
      Effect.gen(function* () {
        yield* watching(api)
        yield* becomes(nodeOf, "gpu")
        send("MODIFIED", configMap(2, { OLAKE_JOB_MAPPING: "{" }))
        send("MODIFIED", configMap(3, { OLAKE_JOB_MAPPING: `{"7":{"a b":"c"}}` }))
        send("MODIFIED", configMap(4, {}))
        send("DELETED", configMap(5, mapping("gpu")))
        send("ADDED", { metadata: { name: "other", resourceVersion: "6" }, data: mapping("other") })
        yield* eventually("all was read", () =>
          /no JSON object/.test(log()) && /a b/.test(log()) ? true : undefined
        )
        assert.strictEqual(yield* nodeOf, "gpu")
        // A good entry beside a bad one holds.
        send("MODIFIED", configMap(7, { OLAKE_JOB_MAPPING: `{"7":{"node":"b"},"x":{}}` }))
        yield* becomes(nodeOf, "b")
        assert.include(log(), "OLAKE_JOB_MAPPING.x")
      })
  )

  test("no right to read it costs one line, and nothing else", [], ({ api, nodeOf, log }) =>
    Effect.gen(function* () {
      api.refuse = 403
      api.items = [configMap(1, mapping("gpu"))]
      for (const watch of api.watches) watch.destroy()
      yield* eventually("it was refused", () => (api.lists > 1 || log() !== "" ? true : undefined))
      assert.strictEqual(yield* nodeOf, "environment")
    })
  )
})
