import { assert, it } from "@effect/vitest"
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { LocalPods } from "../../dev/local-pods/LocalPods.ts"
import { awaitPod, call, createPod, patch, PODS, shell, watch } from "../support/LocalApi.ts"
import { eventually } from "../support/Conditions.ts"

const labelled = (app: string) => ({ image: "none", labels: { app } })
const names = (list: { items: ReadonlyArray<{ metadata: { name: string } }> }) =>
  list.items.map((one) => one.metadata.name)

it.live("lists by selector", () =>
  Effect.gen(function* () {
    yield* createPod("a", labelled("x"))
    yield* createPod("b", labelled("y"))
    yield* createPod("c", { image: "none" })
    const list = (selector: string) =>
      Effect.map(call("GET", `${PODS}?labelSelector=${encodeURIComponent(selector)}`), ({ body }) =>
        names(body)
      )
    assert.deepStrictEqual(yield* list("app=x"), ["a"])
    assert.deepStrictEqual(yield* list("app!=x"), ["b", "c"])
    assert.deepStrictEqual(yield* list("app,app!=x"), ["b"])
    assert.deepStrictEqual(yield* list("!app"), ["c"])
    assert.deepStrictEqual(yield* list("app in (x,y),app!=y"), ["a"])
    const field = yield* call("GET", `${PODS}?fieldSelector=metadata.name%3Db`)
    assert.deepStrictEqual(names(field.body), ["b"])
    const { requests } = yield* LocalPods
    assert.deepStrictEqual(requests(), { "create pods": 3, "list pods": 6 })
  }).pipe(Effect.provide(LocalPods.layer()))
)

it.live("watches a Pod's whole life in order", () =>
  Effect.gen(function* () {
    const { body } = yield* call("GET", PODS)
    const events = yield* Effect.forkChild(watch(`resourceVersion=${body.metadata.resourceVersion}`, 6))
    yield* createPod("seen", shell("sleep 0.3"))
    yield* awaitPod("seen", (one) => one.status.phase === "Succeeded")
    const seen = yield* Fiber.join(events)
    assert.deepStrictEqual(
      seen.map(({ type, object }) => {
        const [container] = object.status.containerStatuses ?? []
        return `${type} ${object.status.phase} ${Object.keys(container?.state ?? {}).join("")}`.trim()
      }),
      [
        "ADDED Pending",
        "MODIFIED Pending",
        "MODIFIED Pending waiting",
        "MODIFIED Running running",
        "MODIFIED Running terminated",
        "MODIFIED Succeeded terminated"
      ]
    )
    const again = yield* watch(`resourceVersion=${seen[4]?.object.metadata.resourceVersion}`, 1)
    assert.deepStrictEqual(again, seen.slice(5))
  }).pipe(Effect.provide(LocalPods.layer()))
)

it.live("answers 410 to a watch from a forgotten version, and bookmarks and ends others", () =>
  Effect.gen(function* () {
    const { compact } = yield* LocalPods
    yield* createPod("a", labelled("x"))
    compact()
    const [error] = yield* watch("resourceVersion=1")
    assert.deepInclude(error, { type: "ERROR" })
    assert.deepInclude(error?.object, { kind: "Status", reason: "Expired", code: 410 })
    const events = yield* watch("labelSelector=app%3Dx&allowWatchBookmarks=true&timeoutSeconds=1")
    assert.strictEqual(events[0]?.type, "ADDED")
    const last = events.at(-1)
    assert.strictEqual(last?.type, "BOOKMARK")
    assert.isTrue(Number(last?.object.metadata.resourceVersion) > 0)
  }).pipe(Effect.provide(LocalPods.layer({ bookmarkMillis: 50 })))
)

it.live("a Pod that begins or ceases to match is added or deleted for the watcher", () =>
  Effect.gen(function* () {
    const steps = Effect.gen(function* () {
      const { body } = yield* createPod("moving", labelled("y"))
      const events = yield* Effect.forkChild(
        watch(`labelSelector=app%3Dx&resourceVersion=${body.metadata.resourceVersion}`, 2)
      )
      yield* patch("moving", { labels: { app: "x" } })
      yield* patch("moving", { labels: { app: "y" } })
      assert.deepStrictEqual(
        (yield* Fiber.join(events)).map((event) => event.type),
        ["ADDED", "DELETED"]
      )
    })
    yield* steps.pipe(Effect.provide(LocalPods.layer({ scenario: () => ({ steps: [] }) })))
  })
)

it.live("plays a scenario instead of a process", () =>
  Effect.gen(function* () {
    const { url } = yield* LocalPods
    yield* createPod("played")
    const over = yield* awaitPod("played", (one) => one.status.phase === "Failed")
    assert.strictEqual(over.status.reason, "Evicted")
    assert.strictEqual((yield* Effect.promise(() => fetch(`${url}${PODS}/played/log`))).status, 400)
    yield* createPod("other", shell("true"))
    yield* awaitPod("other", (one) => one.status.phase === "Succeeded")
  }).pipe(
    Effect.provide(
      LocalPods.layer({
        scenario: (pod) =>
          pod.metadata.name === "played"
            ? {
                steps: [{ status: { phase: "Running" } }, { status: { phase: "Failed", reason: "Evicted" } }]
              }
            : undefined
      })
    )
  )
)

it.live("can be cut off and can refuse", () =>
  Effect.gen(function* () {
    const { disconnect, requests } = yield* LocalPods
    const cut = yield* Effect.forkChild(Effect.exit(Effect.catchDefect(watch(""), Effect.fail)))
    yield* eventually("the watch is open", () => requests()["watch pods"])
    disconnect()
    yield* Fiber.join(cut)
    const refused = yield* createPod("any")
    assert.strictEqual(refused.code, 503)
  }).pipe(
    Effect.provide(
      LocalPods.layer({
        intercept: ({ verb }) => (verb === "create" ? { code: 503, body: "later" } : undefined)
      })
    )
  )
)

it.live("keeps Secrets and ConfigMaps", () =>
  Effect.gen(function* () {
    for (const kind of ["secrets", "configmaps"]) {
      const all = `/api/v1/namespaces/olake/${kind}`
      const made = yield* call("POST", all, { metadata: { name: "one" }, data: { key: "dmFsdWU=" } })
      assert.strictEqual(made.code, 201)
      const changed = yield* call("PATCH", `${all}/one`, { data: { key: null, other: "dmFsdWU=" } })
      assert.deepStrictEqual(changed.body.data, { other: "dmFsdWU=" })
      assert.strictEqual((yield* call("GET", all)).body.items.length, 1)
      const gone = yield* call("DELETE", `${all}/one`)
      assert.deepInclude(gone.body, { kind: "Status", status: "Success" })
      assert.strictEqual((yield* call("GET", `${all}/one`)).code, 404)
    }
  }).pipe(Effect.provide(LocalPods.layer()))
)

it.live("serves client-node by its kubeconfig", () =>
  Effect.gen(function* () {
    const { kubeconfigPath } = yield* LocalPods
    yield* createPod("a", { image: "none" })
    const config = new KubeConfig()
    config.loadFromFile(kubeconfigPath)
    const list = yield* Effect.promise(() =>
      config.makeApiClient(CoreV1Api).listNamespacedPod({ namespace: "olake" })
    )
    assert.deepStrictEqual(
      list.items.map((one) => one.metadata?.name),
      ["a"]
    )
  }).pipe(Effect.provide(LocalPods.layer()))
)
