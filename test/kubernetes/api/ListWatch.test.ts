/** Minutes of silence and outage, on a virtual clock: what a list and its watch make of them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { KubernetesClient } from "../../../src/kubernetes/api/KubernetesClient.ts"
import { KubernetesError } from "../../../src/kubernetes/api/KubernetesError.ts"
import type { PodJson } from "../../../src/kubernetes/pod/PodJson.ts"
import { fromPod } from "../../../src/kubernetes/pod/PodView.ts"
import { PodWatch } from "../../../src/kubernetes/PodWatch.ts"
import type { WatchFrame } from "../../../src/kubernetes/api/ApiLists.ts"

type Frames = Stream.Stream<WatchFrame<PodJson>, KubernetesError>

const at = (version: number, phase = "Running"): PodJson => ({
  metadata: { name: "one", uid: "uid-1", resourceVersion: String(version) },
  status: { phase }
})
const bookmark = (version: number): WatchFrame<PodJson> => ({
  type: "BOOKMARK",
  object: { metadata: { name: "", uid: "", resourceVersion: String(version) } }
})
const away = new KubernetesError({ operation: "x", status: 503, reason: "ServiceUnavailable", detail: "" })

/** What it was asked, in its order: `list`, or the version that a watch began from. */
const following = (api: {
  readonly list: () => Effect.Effect<
    { items: ReadonlyArray<PodJson>; resourceVersion: string },
    KubernetesError
  >
  readonly watch: (version: string) => Frames
}) => {
  const asked: Array<string> = []
  const client = Layer.mock(KubernetesClient, {
    namespace: "olake",
    listPods: () => Effect.suspend(() => (asked.push("list"), api.list())),
    watchPods: (_, version) => Stream.suspend(() => (asked.push(version), api.watch(version))),
    readPod: () => Effect.fail(away)
  })
  return { asked, layer: Layer.provide(PodWatch.layer, client) }
}

const listed = (version: number, phase?: string) => () =>
  Effect.succeed({ items: [at(version, phase)], resourceVersion: String(version) })
const endless = (...frames: ReadonlyArray<WatchFrame<PodJson>>): Frames =>
  Stream.concat(Stream.fromIterable(frames), Stream.never)

describe("a watch of minutes", () => {
  it.effect("that is silent for 150 s is begun anew from its last version, without a list", () => {
    const { asked, layer } = following({ list: listed(5), watch: () => endless(bookmark(7)) })
    return Effect.gen(function* () {
      const watch = yield* PodWatch
      yield* watch.synced
      yield* TestClock.adjust("149 seconds")
      assert.deepStrictEqual(asked, ["list", "5"])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(asked, ["list", "5", "7"])
      assert.isTrue(yield* watch.healthy)
    }).pipe(Effect.provide(layer))
  })

  it.effect(
    "that has passed over a Pod's end is set right by a list within 15 minutes, and that is counted",
    () => {
      let phase = "Running"
      const { asked, layer } = following({
        list: () => listed(phase === "Running" ? 5 : 6, phase)(),
        // Bookmarks go past the end, which was never told.
        watch: () => Stream.concat(Stream.succeed(bookmark(9)), Stream.never)
      })
      return Effect.gen(function* () {
        const watch = yield* PodWatch
        yield* watch.synced
        yield* watch.track(fromPod(at(5)))
        phase = "Succeeded"
        yield* TestClock.adjust("9 minutes")
        assert.strictEqual((yield* watch.next("uid-1", undefined)).view.phase, "Running")
        yield* TestClock.adjust("6 minutes")
        assert.strictEqual((yield* watch.next("uid-1", undefined)).view.phase, "Succeeded")
        assert.lengthOf(
          asked.filter((one) => one === "list"),
          2
        )
        const metrics = yield* Metric.snapshot
        const missed = metrics.find(({ id }) => id === "pod_watch_missed_events_total")
        assert.deepInclude(missed?.state, { count: 1 })
      }).pipe(Effect.scoped, Effect.provide(layer))
    }
  )

  it.effect("is asked for ever more rarely through 10 minutes of 503, and heard again within 35 s", () => {
    let isAway = true
    let phase = "Running"
    const { asked, layer } = following({
      list: () => listed(5, "Running")(),
      watch: () => (isAway ? Stream.fail(away) : endless({ type: "MODIFIED", object: at(6, phase) }))
    })
    return Effect.gen(function* () {
      const watch = yield* PodWatch
      yield* watch.synced
      yield* watch.track(fromPod(at(5)))
      yield* TestClock.adjust("10 minutes")
      assert.isBelow(asked.length, 200)
      const seen = yield* watch.next("uid-1", undefined)
      assert.isFalse(seen.gone)
      assert.strictEqual(seen.view.phase, "Running")
      isAway = false
      phase = "Succeeded"
      yield* TestClock.adjust("35 seconds")
      assert.strictEqual((yield* watch.next("uid-1", seen)).view.phase, "Succeeded")
    }).pipe(Effect.scoped, Effect.provide(layer))
  })
})
