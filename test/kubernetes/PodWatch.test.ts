import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { LocalPods } from "../../dev/LocalPods.ts"
import { KubernetesClient } from "../../src/kubernetes/KubernetesClient.ts"
import { fromPod, type PodView } from "../../src/kubernetes/PodView.ts"
import { type Observation, PodWatch } from "../../src/kubernetes/PodWatch.ts"
import { eventually } from "../dev/support.ts"
import { ending, type Faults, kubeWorld, noFaults, running } from "../support/KubeWorld.ts"

const manifest = (
  name: string,
  labels: Readonly<Record<string, string>> = { "app.kubernetes.io/managed-by": "olake-workers" }
) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels },
  spec: { containers: [{ name: "connector", image: "olakego/source-postgres:v1" }] }
})

const create = (name: string) =>
  Effect.gen(function* () {
    const kubernetes = yield* KubernetesClient
    const view = fromPod(yield* kubernetes.createPod(manifest(name)))
    yield* Effect.flatMap(PodWatch, (watch) => watch.track(view))
    return view
  })

/** The first observation that satisfies the condition. */
const observed = (view: PodView, condition: (observation: Observation) => boolean) =>
  Effect.gen(function* () {
    const watch = yield* PodWatch
    let seen: Observation | undefined
    do seen = yield* watch.next(view.uid, seen)
    while (!condition(seen))
    return seen
  }).pipe(Effect.timeout("10 seconds"))

const isRunning = ({ view }: Observation) => view.phase === "Running"
const isGone = ({ gone }: Observation) => gone

const lists = Effect.map(LocalPods, ({ requests }) => requests()["list pods"] ?? 0)
const watches = Effect.map(LocalPods, ({ requests }) => requests()["watch pods"] ?? 0)
const untilWatching = (count: number) =>
  Effect.flatMap(LocalPods, ({ requests }) =>
    eventually(`watch ${count} is open`, () => ((requests()["watch pods"] ?? 0) >= count ? true : undefined))
  )

const change = (path: string, body: object) =>
  Effect.flatMap(LocalPods, ({ url }) =>
    Effect.promise(() =>
      fetch(`${url}/api/v1/namespaces/default/pods/${path}`, {
        method: "PATCH",
        headers: { "content-type": "application/merge-patch+json" },
        body: JSON.stringify(body)
      })
    )
  )

type Needs = LocalPods | KubernetesClient | PodWatch
const test = (
  name: string,
  program: (faults: Faults) => Effect.Effect<void, unknown, Needs | Scope.Scope>,
  scenario = () => running
) =>
  it.live(name, () => {
    const faults = noFaults()
    return Effect.scoped(program(faults)).pipe(
      Effect.provide(kubeWorld(faults, scenario)),
      Effect.timeout("25 seconds")
    )
  })

describe("PodWatch", () => {
  test("tells of a Pod as it comes, and that it is gone", () =>
    Effect.gen(function* () {
      const watch = yield* PodWatch
      yield* watch.synced
      assert.isTrue(yield* watch.healthy)
      const pod = yield* create("one")
      yield* observed(pod, isRunning)
      assert.strictEqual((yield* watch.find(({ name }) => name === "one"))?.uid, pod.uid)
      yield* Effect.flatMap(KubernetesClient, (kubernetes) => kubernetes.deletePod("one", pod.uid))
      yield* observed(pod, isGone)
      assert.isUndefined(yield* watch.find(({ name }) => name === "one"))
      assert.strictEqual(yield* lists, 1)
    }))

  test("an older answer does not undo what the watch has said since", () =>
    Effect.gen(function* () {
      const watch = yield* PodWatch
      yield* watch.synced
      const created = yield* create("one")
      const seen = yield* observed(created, isRunning)
      yield* watch.track(created)
      assert.strictEqual(yield* watch.next(created.uid, undefined), seen)
    }))

  test("a connection that breaks is taken up where it broke, without a new list", () =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      yield* untilWatching(1)
      const pod = yield* create("one")
      yield* observed(pod, isRunning)
      yield* Effect.map(LocalPods, ({ disconnect }) => disconnect())
      yield* Effect.flatMap(KubernetesClient, (kubernetes) => kubernetes.deletePod("one", pod.uid))
      yield* observed(pod, isGone)
      assert.strictEqual(yield* lists, 1)
      assert.isAtLeast(yield* watches, 2)
    }))

  test("an expired version (410 in the stream) costs one list, and nothing is missed", (faults) =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      yield* untilWatching(1)
      const [gone, kept] = [yield* create("gone"), yield* create("kept")]
      yield* observed(gone, isRunning)
      yield* observed(kept, isRunning)
      faults.refuse = ({ verb }) => (verb === "watch" ? { code: 503 } : undefined)
      yield* Effect.map(LocalPods, ({ disconnect }) => disconnect())
      yield* Effect.flatMap(KubernetesClient, (kubernetes) => kubernetes.deletePod("gone", gone.uid))
      yield* Effect.flatMap(LocalPods, ({ pods }) =>
        eventually("it is deleted", () => (pods().length === 1 ? true : undefined))
      )
      yield* Effect.map(LocalPods, ({ compact }) => compact())
      faults.refuse = () => undefined
      yield* observed(gone, isGone)
      const watch = yield* PodWatch
      assert.isDefined(yield* watch.find(({ name }) => name === "kept"))
      assert.strictEqual(yield* lists, 2)
    }))

  test("410 as an HTTP status is understood as well", (faults) =>
    Effect.gen(function* () {
      let refused = 0
      faults.refuse = ({ verb }) => (verb === "watch" && (refused += 1) <= 1 ? { code: 410 } : undefined)
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      yield* untilWatching(2)
      yield* observed(yield* create("one"), isRunning)
      assert.strictEqual(yield* lists, 2)
    }))

  for (const code of [500, 429, 403, 401]) {
    test(`a first list that is answered ${code} is tried again; until then it is not healthy`, (faults) =>
      Effect.gen(function* () {
        faults.refuse = ({ verb }) => (verb === "list" ? { code } : undefined)
        const watch = yield* PodWatch
        yield* Effect.flatMap(LocalPods, ({ requests }) =>
          eventually("it has asked", () => ((requests()["list pods"] ?? 0) > 0 ? true : undefined))
        )
        assert.isFalse(yield* watch.healthy)
        faults.refuse = () => undefined
        // A missing permission is asked for less often than a passing trouble.
        if (code === 403) return
        yield* watch.synced
        assert.isTrue(yield* watch.healthy)
      }))
  }

  test("a Pod that only lost its label is not gone: it is asked for by name", () =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      const pod = yield* create("one")
      yield* observed(pod, isRunning)
      yield* change("one", { metadata: { labels: { "app.kubernetes.io/managed-by": null } } })
      const labelless = yield* observed(
        pod,
        ({ view }) => view.labels["app.kubernetes.io/managed-by"] === undefined
      )
      assert.isFalse(labelless.gone)
    }))

  test("while the API server is away nobody is told that a Pod is gone", (faults) =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      const pod = yield* create("one")
      yield* observed(pod, isRunning)
      faults.refuse = () => ({ code: 503 })
      yield* Effect.map(LocalPods, ({ disconnect }) => disconnect())
      const waiting = yield* Effect.forkChild(observed(pod, isGone))
      const before = yield* watches
      yield* untilWatching(before + 2)
      assert.isUndefined(waiting.pollUnsafe())
      faults.refuse = () => undefined
      yield* Effect.flatMap(KubernetesClient, (kubernetes) => kubernetes.deletePod("one", pod.uid))
      yield* Fiber.join(waiting)
    }))

  test("a Pod of the same name is another one", () =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      const kubernetes = yield* KubernetesClient
      const first = yield* create("one")
      yield* observed(first, isRunning)
      yield* kubernetes.deletePod("one", first.uid)
      yield* observed(first, isGone)
      const second = yield* create("one")
      yield* observed(second, isRunning)
      assert.notStrictEqual(first.uid, second.uid)
      // A late delete of the first one does not touch the second.
      yield* kubernetes.deletePod("one", first.uid)
      assert.strictEqual((yield* kubernetes.readPod("one")).metadata.uid, second.uid)
    }))

  test(
    "many waiters each hear of the end of theirs",
    () =>
      Effect.gen(function* () {
        yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
        const pods = yield* Effect.forEach(
          Array.from({ length: 12 }, (_, index) => `pod-${index}`),
          create
        )
        const ends = yield* Effect.forEach(
          pods,
          (pod) => observed(pod, ({ view }) => view.containers[0]?.state === "terminated"),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(ends, 12)
      }),
    () => ending(0, 50)
  )

  test("our own stop is known as such", () =>
    Effect.gen(function* () {
      const watch = yield* PodWatch
      yield* watch.synced
      const pod = yield* create("one")
      yield* observed(pod, isRunning)
      yield* watch.expectEnd(pod.uid)
      assert.isTrue((yield* observed(pod, ({ asked }) => asked)).asked)
    }))
})
