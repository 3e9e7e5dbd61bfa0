import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { LocalPods } from "../../dev/local-pods/LocalPods.ts"
import { KubernetesClient } from "../../src/kubernetes/api/KubernetesClient.ts"
import { fromPod, type PodView } from "../../src/kubernetes/pod/PodView.ts"
import { type Observation, PodWatch } from "../../src/kubernetes/PodWatch.ts"
import { eventually } from "../support/Conditions.ts"
import { json, scriptedApi, scriptedPods, type ScriptedPods } from "../support/scripted/ScriptedApi.ts"
import { testConfigLayer } from "../support/TestConfig.ts"
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

/** A Pod as the API says it, at a version. */
const at = (name: string, version: number, phase = "Running", uid = `uid-${name}`) => ({
  metadata: {
    name,
    uid,
    resourceVersion: String(version),
    labels: { "app.kubernetes.io/managed-by": "olake-workers" }
  },
  status: { phase }
})
const frame = (type: string, object: object) => ({ type, object })
const EXPIRED = {
  type: "ERROR",
  object: { kind: "Status", code: 410, reason: "Expired", message: "too old resource version: 1 (2789)" }
}

const scripted = (
  name: string,
  program: (api: ScriptedPods) => Effect.Effect<void, unknown, PodWatch | KubernetesClient | Scope.Scope>
) =>
  it.live(name, () =>
    Effect.gen(function* () {
      const api = scriptedPods()
      const { kubeconfigPath } = yield* scriptedApi(api.answer)
      const config = testConfigLayer({ kubernetes: { kubeconfig: kubeconfigPath } })
      const layer = PodWatch.layer.pipe(Layer.provideMerge(KubernetesClient.layer), Layer.provide(config))
      yield* Effect.provide(Effect.scoped(program(api)), layer)
    }).pipe(Effect.scoped, Effect.timeout("25 seconds"))
  )

/** How often it has listed. */
const listed = (api: ScriptedPods) => api.count("GET", /\/pods\?(?!watch)/)
const watching = (api: ScriptedPods, count: number) =>
  eventually(`watch ${count} is open`, () => (api.watched.length >= count ? true : undefined))
const phased = (phase: string) => (observation: Observation) => observation.view.phase === phase

/** The Pod is listed and tracked, and the first watch is open. */
const trackListed = (api: ScriptedPods, ...names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const watch = yield* PodWatch
    yield* watching(api, 1)
    for (const name of names) yield* watch.track(fromPod(at(name, 1)))
    return yield* Effect.forEach(names, (name) =>
      Effect.map(
        watch.find((view) => view.name === name),
        (view) => view ?? fromPod(at(name, 1))
      )
    )
  })

describe("what a server may send", () => {
  const one = [at("one", 5)]

  for (const how of ["end", "break"] as const) {
    const title = how === "end" ? "ends well" : "breaks"
    scripted(`a watch that ${title} goes on from the last version it gave, bookmarks included`, (api) =>
      Effect.gen(function* () {
        api.pods = one
        const [pod] = yield* trackListed(api, "one")
        api.send(frame("MODIFIED", at("one", 21, "Waiting")))
        yield* observed(pod!, phased("Waiting"))
        api.send(frame("BOOKMARK", { metadata: { resourceVersion: "30" } }), frame("ADDED", at("two", 31)))
        const watch = yield* PodWatch
        yield* eventually("two is known", () =>
          Effect.runSync(watch.find(({ name }) => name === "two")) === undefined ? undefined : true
        )
        api.endWatches(how)
        yield* watching(api, 2)
        assert.deepStrictEqual(api.watched, ["10", "31"])
        api.send(frame("DELETED", { ...at("one", 32, "Succeeded") }))
        yield* observed(pod!, isGone)
        assert.strictEqual(listed(api), 1)
      })
    )
  }

  scripted("a bookmark alone moves the version on", (api) =>
    Effect.gen(function* () {
      yield* trackListed(api)
      api.send(frame("BOOKMARK", { metadata: { resourceVersion: "77" } }))
      api.endWatches("end")
      yield* watching(api, 2)
      assert.deepStrictEqual(api.watched, ["10", "77"])
    })
  )

  for (const asStatus of [true, false]) {
    scripted(`410 ${asStatus ? "as a status" : "in the stream"}: one list, and its differences`, (api) =>
      Effect.gen(function* () {
        api.pods = [at("changed", 5), at("gone", 6), at("same", 7)]
        const [changed, gone, same] = yield* trackListed(api, "changed", "gone", "same")
        let refused = 0
        api.instead = ({ url }, response) => {
          if (!asStatus || !url.includes("watch=1") || (refused += 1) > 1) return false
          json(response, 410, EXPIRED.object)
          return true
        }
        api.pods = [at("changed", 50, "Succeeded"), at("same", 7), at("added", 51)]
        api.version = 60
        if (!asStatus) api.send(EXPIRED)
        api.endWatches("end")
        yield* observed(changed!, phased("Succeeded"))
        yield* observed(gone!, isGone)
        const watch = yield* PodWatch
        assert.isFalse((yield* watch.next(same!.uid, undefined)).gone)
        assert.isDefined(yield* watch.find(({ name }) => name === "added"))
        yield* watching(api, asStatus ? 3 : 2)
        assert.strictEqual(listed(api), 2)
        assert.strictEqual(api.watched.at(-1), "60")
      })
    )
  }

  for (const garbage of [`{"type":"MODIFIED","obj`, "null", `{"type":"ERROR"}`, "<html>"]) {
    scripted(`a line that is no frame costs a connection and nothing else: ${garbage}`, (api) =>
      Effect.gen(function* () {
        api.pods = one
        const [pod] = yield* trackListed(api, "one")
        api.send(garbage)
        yield* watching(api, 2)
        assert.deepStrictEqual(api.watched, ["10", "10"])
        api.send(frame("MODIFIED", at("one", 22, "Succeeded")))
        yield* observed(pod!, phased("Succeeded"))
        assert.strictEqual(listed(api), 1)
      })
    )
  }

  scripted("one that comes again at the same version is passed by a list", (api) =>
    Effect.gen(function* () {
      api.pods = one
      const [pod] = yield* trackListed(api, "one")
      const stuck = yield* Effect.forkChild(
        Effect.forever(
          Effect.suspend(() => {
            if (listed(api) === 1) api.send("garbage")
            return Effect.sleep("20 millis")
          })
        )
      )
      api.pods = [at("one", 22, "Succeeded")]
      yield* observed(pod!, phased("Succeeded"))
      yield* Fiber.interrupt(stuck)
    })
  )

  for (const broken of [{ metadata: null }, { ...at("x", 21), status: { containerStatuses: [null] } }]) {
    scripted(`a Pod that makes no sense spoils no other: ${JSON.stringify(broken).slice(0, 20)}`, (api) =>
      Effect.gen(function* () {
        api.pods = one
        const [pod] = yield* trackListed(api, "one")
        api.send(frame("MODIFIED", broken), frame("MODIFIED", at("one", 22, "Succeeded")))
        yield* observed(pod!, phased("Succeeded"))
        assert.lengthOf(api.watched, 1)
      })
    )
  }

  scripted("nor in a list", (api) =>
    Effect.gen(function* () {
      api.pods = [Object.assign(at("x", 4), { status: { containerStatuses: [null] } }), ...one]
      const watch = yield* PodWatch
      yield* watch.synced
      assert.isDefined(yield* watch.find(({ name }) => name === "one"))
      yield* watching(api, 1)
    })
  )

  scripted("a list that is none is asked for again", (api) =>
    Effect.gen(function* () {
      let lists = 0
      api.instead = ({ url }, response) => {
        if (!/pods\?(?!watch)/.test(url) || (lists += 1) > 1) return false
        json(response, 200, {})
        return true
      }
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      assert.strictEqual(lists, 2)
    })
  )

  scripted("gone is said with proof only: another of that name is one, an error is none", (api) =>
    Effect.gen(function* () {
      api.pods = one
      const [pod] = yield* trackListed(api, "one")
      let reads = 0
      api.instead = ({ url }, response) => {
        if (!url.endsWith("/pods/one") || (reads += 1) > 2) return false
        json(response, reads === 1 ? 403 : 500, {})
        return true
      }
      api.pods = [at("one", 40, "Running", "uid-other")]
      api.send(frame("DELETED", at("one", 39)), frame("ADDED", at("one", 40, "Running", "uid-other")))
      yield* observed(pod!, isGone)
      assert.strictEqual(reads, 3)
      const watch = yield* PodWatch
      assert.strictEqual((yield* watch.find(({ name }) => name === "one"))?.uid, "uid-other")
    })
  )

  scripted("of two of one name the later is found, though the end of the first is not yet proved", (api) =>
    Effect.gen(function* () {
      api.pods = one
      yield* trackListed(api, "one")
      const watch = yield* PodWatch
      api.instead = ({ url }) => url.endsWith("/pods/one")
      api.send(frame("DELETED", at("one", 39)), frame("ADDED", at("one", 40, "Running", "uid-other")))
      yield* eventually("the later is found", () =>
        Effect.runSync(watch.find(({ name }) => name === "one"))?.uid === "uid-other" ? true : undefined
      )
    })
  )

  scripted("one tracked from an old answer after its end is gone, and nothing of it is kept", (api) =>
    Effect.gen(function* () {
      api.pods = one
      yield* watching(api, 1)
      const watch = yield* PodWatch
      const late = fromPod(at("one", 5))
      api.send(frame("DELETED", at("one", 21, "Succeeded")))
      const known = watch.find(({ name }) => name === "one")
      yield* eventually("it is dropped", () => (Effect.runSync(known) === undefined ? true : undefined))
      yield* Effect.scoped(Effect.andThen(watch.track(late), observed(late, isGone)))
      assert.include(
        yield* Effect.catchDefect(watch.next(late.uid, undefined), (defect) =>
          Effect.succeed(String(defect))
        ),
        "not tracked"
      )
    })
  )

  scripted("a burst is one observation to a waiter that was away", (api) =>
    Effect.gen(function* () {
      api.pods = one
      const [pod] = yield* trackListed(api, "one")
      const watch = yield* PodWatch
      const before = yield* watch.next(pod!.uid, undefined)
      const burst = Array.from({ length: 50 }, (_, index) => frame("MODIFIED", at("one", 100 + index)))
      api.send(...burst, frame("MODIFIED", at("one", 200, "Succeeded")), frame("ADDED", at("two", 201)))
      const known = watch.find(({ name }) => name === "two")
      yield* eventually("all was read", () => (Effect.runSync(known) === undefined ? undefined : true))
      assert.strictEqual((yield* watch.next(pod!.uid, before)).view.phase, "Succeeded")
    })
  )

  scripted("a connection that breaks among 2,000 Pods costs no list, and no end of 50 of them", (api) =>
    Effect.gen(function* () {
      const names = Array.from({ length: 2_000 }, (_, index) => `pod-${index}`)
      api.pods = names.map((name) => at(name, 5))
      const watch = yield* PodWatch
      yield* watch.synced
      yield* watching(api, 1)
      const finishing = yield* trackListed(api, ...names.slice(0, 50))
      api.endWatches("break")
      yield* watching(api, 2)
      api.send(
        ...names.slice(0, 50).map((name, index) => frame("MODIFIED", at(name, 20 + index, "Succeeded")))
      )
      yield* Effect.forEach(finishing, (pod) => observed(pod, phased("Succeeded")), {
        concurrency: "unbounded"
      })
      assert.strictEqual(listed(api), 1)
      assert.lengthOf(yield* watch.live, 2_000)
    })
  )

  for (const asStatus of [true, false]) {
    scripted(
      `410 ${asStatus ? "as a status" : "in the stream"} after 10 ends and 5 deletions: one list, each deletion asked for once`,
      (api) =>
        Effect.gen(function* () {
          const [ends, deletions] = [10, 5].map((count) =>
            Array.from({ length: count }, (_, index) => `${count}-${index}`)
          )
          api.pods = [...ends!, ...deletions!].map((name) => at(name, 5))
          const pods = yield* trackListed(api, ...ends!, ...deletions!)
          let refused = 0
          api.instead = ({ url }, response) => {
            if (!asStatus || !url.includes("watch=1") || (refused += 1) > 1) return false
            json(response, 410, EXPIRED.object)
            return true
          }
          api.pods = ends!.map((name, index) => at(name, 50 + index, "Succeeded"))
          api.version = 70
          if (!asStatus) api.send(EXPIRED)
          api.endWatches("end")
          yield* Effect.forEach(pods.slice(0, 10), (pod) => observed(pod, phased("Succeeded")))
          yield* Effect.forEach(pods.slice(10), (pod) => observed(pod, isGone))
          assert.strictEqual(listed(api), 2)
          for (const name of deletions!) assert.strictEqual(api.count("GET", new RegExp(`/pods/${name}$`)), 1)
        })
    )
  }

  scripted("a frame of 9 MiB costs a connection and nothing else", (api) =>
    Effect.gen(function* () {
      api.pods = one
      const [pod] = yield* trackListed(api, "one")
      const huge = { ...at("one", 21), spec: { text: "x".repeat(9 * 1024 * 1024) } }
      api.send(frame("MODIFIED", huge))
      yield* watching(api, 2)
      assert.deepStrictEqual(api.watched, ["10", "10"])
      api.send(frame("MODIFIED", at("one", 22, "Succeeded")))
      yield* observed(pod!, phased("Succeeded"))
      assert.strictEqual(listed(api), 1)
    })
  )

  scripted("a character that arrives in two pieces is one", (api) =>
    Effect.gen(function* () {
      api.pods = one
      const [pod] = yield* trackListed(api, "one")
      const message = "größe 💾"
      const said = { ...at("one", 21), status: { phase: "Failed", message } }
      const bytes = Buffer.from(`${JSON.stringify(frame("MODIFIED", said))}\n`)
      for (let index = 0; index < bytes.length; index++) {
        api.sendBytes(bytes.subarray(index, index + 1))
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      assert.strictEqual((yield* observed(pod!, phased("Failed"))).view.message, message)
      assert.lengthOf(api.watched, 1)
    })
  )
})
