/** What becomes of a short run's Pod whose create or name is in doubt; the server is scripted, for its timing counts. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { nameOf } from "../../src/kubernetes/pod/PodIdentity.ts"
import { PodRunner } from "../../src/kubernetes/PodRunner.ts"
import { PodWatch } from "../../src/kubernetes/PodWatch.ts"
import { eventually } from "../support/Conditions.ts"
import { createdFrom, json } from "../support/scripted/ScriptedApi.ts"
import {
  check,
  CLAIM,
  creates,
  deletes,
  endWell,
  GOING,
  isPodCreate,
  leave,
  podOf,
  scriptedTest as test,
  watching
} from "../support/scripted/ScriptedRunner.ts"

const runScoped = Effect.scoped(Effect.flatMap(PodRunner, (pods) => pods.run(check)))

describe("a create in doubt", () => {
  test("made, but its answer is lost: found by its name, one Pod, cleaned up", (api) =>
    Effect.gen(function* () {
      api.instead = (asked, response) => {
        if (!isPodCreate(asked.method, asked.url)) return false
        api.pods.push(createdFrom(asked, 11))
        response.destroy()
        return true
      }
      yield* Effect.forkChild(endWell(api))
      assert.isUndefined((yield* runScoped).failure)
      assert.deepStrictEqual([creates(api), deletes(api), api.pods.length], [1, 1, 0])
    }))

  test("made, but its answer is lost: its Secret is made all the same", (api) =>
    Effect.gen(function* () {
      api.instead = (asked, response) => {
        if (asked.url.includes("selfsubjectaccessreviews")) {
          json(response, 201, { status: { allowed: true } })
          return true
        }
        if (asked.method === "POST" && asked.url.includes("/secrets")) {
          json(response, 201, {})
          return true
        }
        if (!isPodCreate(asked.method, asked.url)) return false
        api.pods.push(createdFrom(asked, 11))
        response.destroy()
        return true
      }
      const { create } = yield* PodRunner
      const made = yield* create({ ...check, secretKey: Redacted.make("key") })
      assert.isFalse("refusal" in made)
      assert.strictEqual(api.count("POST", /\/secrets/), 1)
    }))

  test("made after its waiter was interrupted: it is waited for, then deleted", (api) =>
    Effect.gen(function* () {
      api.instead = (asked, response) => {
        if (!isPodCreate(asked.method, asked.url)) return false
        setTimeout(() => {
          const made = createdFrom(asked, 11)
          api.pods.push(made)
          json(response, 201, made)
        }, 150)
        return true
      }
      const fiber = yield* Effect.forkChild(runScoped)
      yield* eventually("it is asked for", () => (creates(api) === 1 ? true : undefined))
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([creates(api), deletes(api), api.pods.length], [1, 1, 0])
    }))

  test("a conflict over the namespace's quota is tried again", (api) =>
    Effect.gen(function* () {
      let refused = 0
      const message = `Operation cannot be fulfilled on resourcequotas "jobs": the object has been modified; please apply your changes to the latest version and try again`
      api.instead = ({ method, url }, response) => {
        if (!isPodCreate(method, url) || (refused += 1) > 1) return false
        json(response, 409, { reason: "Conflict", message })
        return true
      }
      yield* Effect.forkChild(endWell(api))
      assert.isUndefined((yield* runScoped).failure)
      assert.deepStrictEqual([creates(api), deletes(api)], [2, 1])
    }))

  test("one that is never taken ends with the server's own words", (api) =>
    Effect.gen(function* () {
      api.instead = ({ method, url }, response) => {
        if (!isPodCreate(method, url)) return false
        const body = { reason: "InternalError", message: "failed calling webhook" }
        json(response, 500, body, { "retry-after": "0.01" })
        return true
      }
      const error = yield* Effect.flip(runScoped)
      assert.strictEqual(error._tag, "KubernetesError")
      assert.include(error.message, "failed calling webhook")
      assert.deepStrictEqual([creates(api), deletes(api)], [5, 0])
    }))

  test("somebody else's is left alone (409)", (api) =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      api.pods = [{ metadata: { name: nameOf(check, CLAIM), uid: "uid-x", labels: { app: "other" } } }]
      api.instead = ({ method, url }, response) => {
        if (!isPodCreate(method, url)) return false
        json(response, 409, { reason: "AlreadyExists", message: "already exists" })
        return true
      }
      assert.strictEqual((yield* Effect.flip(runScoped))._tag, "NameConflict")
      assert.deepStrictEqual([deletes(api), api.pods.length], [0, 1])
    }))
})

describe("a Pod that is there already", () => {
  test("of an attempt before is waited for, and goes with the scope", (api) =>
    Effect.gen(function* () {
      api.pods = [podOf(check)]
      yield* Effect.forkChild(endWell(api))
      assert.isUndefined((yield* runScoped).failure)
      assert.deepStrictEqual([creates(api), deletes(api), api.pods.length], [0, 1, 0])
    }))

  test("and going: no other is made until it is gone", (api) =>
    Effect.gen(function* () {
      const going = podOf(check, GOING)
      api.pods = [going]
      const fiber = yield* Effect.forkChild(runScoped)
      yield* watching(api)
      assert.strictEqual(creates(api), 0)
      leave(api, going)
      yield* Effect.forkChild(endWell(api))
      assert.isUndefined((yield* Fiber.join(fiber)).failure)
      assert.deepStrictEqual([creates(api), deletes(api)], [1, 1])
    }))
})
