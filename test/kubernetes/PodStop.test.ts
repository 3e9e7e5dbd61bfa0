/** How a Pod is asked to stop, and when that is done; the server is scripted, for its timing counts. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { goNameOf } from "../../src/kubernetes/pod/PodIdentity.ts"
import { PodRunner } from "../../src/kubernetes/PodRunner.ts"
import { PodWatch } from "../../src/kubernetes/PodWatch.ts"
import { eventually } from "../support/Conditions.ts"
import { json, type ScriptedPods } from "../support/scripted/ScriptedApi.ts"
import {
  deletes,
  GOING,
  leave,
  podOf,
  run,
  scriptedTest as test,
  sync,
  terminated,
  watching
} from "../support/scripted/ScriptedRunner.ts"

const stop = Effect.flatMap(PodRunner, (pods) => pods.stop(sync))
const askToStop = Effect.flatMap(PodRunner, (pods) => pods.askToStop(sync))

/** A server that has heard of a delete, while the Pod stays. */
const keepDeleted = (api: ScriptedPods) => {
  api.instead = ({ method }, response) => {
    if (method !== "DELETE") return false
    json(response, 200, {})
    return true
  }
}

describe("a cancelled run", () => {
  test("whose Pod comes while it is asked to stop: asked too", (api) =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      yield* watching(api)
      const asking = yield* Effect.forkChild(askToStop)
      yield* eventually("it has been looked for", () =>
        api.count("GET", /\/pods\/olake-job-/) > 0 ? true : undefined
      )
      const late = podOf(sync, { uid: "uid-late", resourceVersion: "30" }, { phase: "Pending" })
      api.pods = [late]
      api.send({ type: "ADDED", object: late })
      assert.isFalse(yield* Fiber.join(asking))
      assert.strictEqual(deletes(api), 1)
    }))

  test("whose connector had ended well says so, and keeps its Pod", (api) =>
    Effect.gen(function* () {
      api.pods = [podOf(sync, {}, terminated(0))]
      assert.isTrue(yield* askToStop)
      assert.strictEqual(deletes(api), 0)
    }))

  test("whose Pod is of the Go worker's has it asked to stop, though it has another name", (api) =>
    Effect.gen(function* () {
      const { "olake.io/key": _key, ...labels } = podOf(sync).metadata.labels ?? {}
      api.pods = [podOf(sync, { name: goNameOf(run.workflowId), labels })]
      assert.isFalse(yield* askToStop)
      assert.strictEqual(deletes(api), 1)
    }))
})

describe("a stop", () => {
  test("of nothing finds nothing", (api) =>
    Effect.gen(function* () {
      assert.isUndefined(yield* stop)
      assert.strictEqual(deletes(api), 0)
    }))

  test("of a Pod that is going: a stop waits for it, and asks no second time", (api) =>
    Effect.gen(function* () {
      const going = podOf(sync, GOING)
      api.pods = [going]
      const fiber = yield* Effect.forkChild(stop)
      yield* watching(api)
      assert.isUndefined(fiber.pollUnsafe())
      leave(api, going)
      assert.strictEqual((yield* Fiber.join(fiber))?.uid, going.metadata.uid)
      assert.strictEqual(deletes(api), 0)
    }))

  test("of one that runs: a stop asks once, and is done when it is gone, not when it is asked", (api) =>
    Effect.gen(function* () {
      const mine = podOf(sync)
      api.pods = [mine]
      keepDeleted(api)
      const fiber = yield* Effect.forkChild(stop)
      yield* watching(api)
      yield* eventually("it was asked to go", () => (deletes(api) === 1 ? true : undefined))
      assert.isUndefined(fiber.pollUnsafe())
      leave(api, mine)
      const found = yield* Fiber.join(fiber)
      // As it was found: its connector had not ended.
      assert.deepStrictEqual([found?.uid, found?.phase], [mine.metadata.uid, "Running"])
      assert.strictEqual(deletes(api), 1)
    }))

  test("of one that ends for good but is held by a finalizer does not wait for its name", (api) =>
    Effect.gen(function* () {
      const finalizers = ["example.com/hold"]
      const mine = podOf(sync, { finalizers })
      api.pods = [mine]
      keepDeleted(api)
      const fiber = yield* Effect.forkChild(stop)
      yield* watching(api)
      yield* eventually("it was asked to go", () => (deletes(api) === 1 ? true : undefined))
      const going = podOf(sync, { ...GOING, finalizers, resourceVersion: "21" })
      api.send({ type: "MODIFIED", object: going })
      assert.isUndefined(fiber.pollUnsafe())
      const metadata = { ...going.metadata, resourceVersion: "22" }
      api.send({ type: "MODIFIED", object: { ...going, metadata, status: terminated(143) } })
      assert.strictEqual((yield* Fiber.join(fiber))?.phase, "Running")
    }))
})
