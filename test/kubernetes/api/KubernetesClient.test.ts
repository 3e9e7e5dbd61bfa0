import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { readFileSync } from "node:fs"
import { KubernetesClient } from "../../../src/kubernetes/api/KubernetesClient.ts"
import type { KubernetesError } from "../../../src/kubernetes/api/KubernetesError.ts"
import { eventually } from "../../support/Conditions.ts"
import { type Answer, json, scriptedApi, type ScriptedApi } from "../../support/scripted/ScriptedApi.ts"
import { testConfigLayer } from "../../support/TestConfig.ts"

const recorded = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../fixtures/api/${name}.json`, import.meta.url), "utf8"))

type Use = (kubernetes: KubernetesClient["Service"], api: ScriptedApi) => Effect.Effect<void, unknown>

const test = (title: string, answer: Answer, use: Use) =>
  it.live(title, () =>
    Effect.scoped(
      Effect.gen(function* () {
        const api = yield* scriptedApi(answer)
        const layer = KubernetesClient.layer.pipe(
          Layer.provide(testConfigLayer({ kubernetes: { kubeconfig: api.kubeconfigPath } }))
        )
        const context = yield* Layer.build(layer)
        yield* use(yield* KubernetesClient.pipe(Effect.provide(context)), api)
      })
    ).pipe(Effect.timeout("20 seconds"))
  )

const pod = (name: string) => ({ metadata: { name, uid: `uid-${name}` }, status: { phase: "Running" } })
const always =
  (code: number, body: unknown): Answer =>
  (_, response) =>
    json(response, code, body)

const errorOf = (call: Effect.Effect<unknown, KubernetesError>) => Effect.flip(call)

describe("calls", () => {
  test("go through one connection, with the token", always(200, pod("a")), (kubernetes, api) =>
    Effect.gen(function* () {
      for (let turn = 0; turn < 20; turn++) yield* kubernetes.readPod("a")
      assert.strictEqual(api.connections(), 1)
      assert.lengthOf(api.asked, 20)
    })
  )

  test(
    "are tried again while the server says: not now; a Retry-After is obeyed",
    (_, response, index) => {
      if (index === 1) json(response, 429, { reason: "TooManyRequests" }, { "retry-after": "1" })
      else if (index < 4) json(response, index === 2 ? 500 : 503, {})
      else json(response, 200, pod("a"))
    },
    (kubernetes, api) =>
      Effect.gen(function* () {
        const [took] = yield* Effect.timed(kubernetes.readPod("a"))
        assert.lengthOf(api.asked, 4)
        assert.isAtLeast(Duration.toMillis(took), 1000)
      })
  )

  test("a create is never repeated by itself", always(500, {}), (kubernetes, api) =>
    Effect.gen(function* () {
      const error = yield* errorOf(kubernetes.createPod({ metadata: { name: "a" } }))
      assert.isTrue(error.isTransient)
      assert.lengthOf(api.asked, 1)
      assert.include(api.asked[0]?.url, "fieldValidation=Strict")
    })
  )

  test(
    "a delete names the uid; a Pod that is gone, or replaced, is success",
    (_, response, index) =>
      json(
        response,
        index === 1 ? 404 : 409,
        index === 1 ? { reason: "NotFound" } : recorded("uid-precondition")
      ),
    (kubernetes, api) =>
      Effect.gen(function* () {
        yield* kubernetes.deletePod("a", "uid-a")
        yield* kubernetes.deletePod("a", "uid-a")
        assert.deepInclude(JSON.parse(api.asked[0]?.body ?? ""), { preconditions: { uid: "uid-a" } })
      })
  )

  test(
    "a list is read to its last page",
    ({ url }, response) =>
      json(
        response,
        200,
        url.includes("continue=next")
          ? { items: [pod("b")], metadata: { resourceVersion: "9" } }
          : { items: [pod("a")], metadata: { resourceVersion: "9", continue: "next" } }
      ),
    (kubernetes) =>
      Effect.gen(function* () {
        const { items, resourceVersion } = yield* kubernetes.listPods("a=b")
        assert.deepStrictEqual(
          items.map(({ metadata }) => metadata.name),
          ["a", "b"]
        )
        assert.strictEqual(resourceVersion, "9")
      })
  )

  test(
    "a log that the kubelet cannot give is an error, though it says 200",
    (_, response) => {
      response.writeHead(200)
      response.end("unable to retrieve container logs for containerd://0123")
    },
    (kubernetes) =>
      Effect.map(errorOf(kubernetes.readPodLog("a", "connector")), (error) =>
        assert.strictEqual(error.status, 0)
      )
  )

  for (const name of ["401", "quota", "rbac", "pss", "serviceaccount", "invalid"]) {
    const bodies = recorded(name)
    const body = (Array.isArray(bodies) ? bodies[0] : bodies) as {
      code: number
      reason: string
      message: string
    }
    test(`what a real server says (${name}) is passed on`, always(body.code, body), (kubernetes) =>
      Effect.map(errorOf(kubernetes.createPod({ metadata: { name: "a" } })), (error) => {
        assert.strictEqual(error.status, body.code)
        assert.include(error.message, body.message)
        assert.strictEqual(error.isTransient, false)
        assert.notInclude(error.message, "marker-of-a-token")
      })
    )
  }

  it.live("a kubeconfig that is not there is named, with what to do", () =>
    Effect.gen(function* () {
      const layer = KubernetesClient.layer.pipe(
        Layer.provide(testConfigLayer({ kubernetes: { kubeconfig: "/nowhere" } }))
      )
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.include(error.message, "KUBECONFIG=/nowhere")
      assert.include(error.message, "Set KUBECONFIG")
    })
  )

  test("a refusal is not asked again", always(403, recorded("rbac")), (kubernetes, api) =>
    Effect.gen(function* () {
      yield* errorOf(kubernetes.readPod("a"))
      assert.lengthOf(api.asked, 1)
    })
  )

  test("a Secret that is there already is success", always(409, { reason: "AlreadyExists" }), (kubernetes) =>
    kubernetes.createSecret({ metadata: { name: "a" } })
  )

  test(
    "an interrupted call lets go of its connection",
    () => undefined,
    (kubernetes, api) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(kubernetes.readPod("a"))
        yield* eventually("it was asked", () => (api.asked.length === 1 ? true : undefined))
        yield* Fiber.interrupt(fiber)
        yield* eventually("the connection is closed", () => (api.open() === 0 ? true : undefined))
      })
  )
})

describe("a watch", () => {
  const frames =
    (...lines: ReadonlyArray<string>): Answer =>
    (_, response) => {
      response.writeHead(200)
      response.end(lines.join("\n"))
    }
  const added = JSON.stringify({ type: "ADDED", object: pod("a") })
  const collect = (kubernetes: KubernetesClient["Service"]) =>
    kubernetes.watchPods("a=b", "5", Duration.seconds(60)).pipe(Stream.runCollect)

  test("gives its frames and ends where the server ends it", frames(added, "", added), (kubernetes, api) =>
    Effect.gen(function* () {
      assert.lengthOf(yield* collect(kubernetes), 2)
      for (const part of ["watch=1", "allowWatchBookmarks=true", "resourceVersion=5", "timeoutSeconds=60"]) {
        assert.include(api.asked[0]?.url, part)
      }
    })
  )

  test(
    "an ERROR frame is a failure",
    frames(
      added,
      JSON.stringify({
        type: "ERROR",
        object: { code: 410, reason: "Expired", message: "too old resource version" }
      })
    ),
    (kubernetes) => Effect.map(Effect.flip(collect(kubernetes)), (error) => assert.isTrue(error.isExpired))
  )

  test("so is a frame that cannot be read", frames(added, `{"type":"ADDED","obj`), (kubernetes) =>
    Effect.map(Effect.flip(collect(kubernetes)), (error) =>
      assert.strictEqual(error.reason, "UnreadableAnswer")
    )
  )

  test(
    "a connection that is cut is a failure, not an end",
    (_, response) => {
      response.writeHead(200, { "content-length": "10000" })
      response.write(`${added}\n`, () => response.destroy())
    },
    (kubernetes) => Effect.map(Effect.flip(collect(kubernetes)), (error) => assert.isTrue(error.isTransient))
  )

  test(
    "is closed with its scope",
    (_, response) => {
      response.writeHead(200)
      response.write(`${added}\n`)
    },
    (kubernetes, api) =>
      Effect.gen(function* () {
        yield* kubernetes.watchPods("a=b", "5", Duration.seconds(60)).pipe(Stream.take(1), Stream.runDrain)
        yield* eventually("the connection is closed", () => (api.open() === 0 ? true : undefined))
      })
  )
})
