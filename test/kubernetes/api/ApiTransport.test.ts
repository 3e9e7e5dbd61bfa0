import { KubeConfig } from "@kubernetes/client-node"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { readFileSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import { vi } from "vitest"
import * as ApiTransport from "../../../src/kubernetes/api/ApiTransport.ts"
import { eventually, temporaryFolder } from "../../support/Conditions.ts"
import { type Answer, json, scriptedApi, type ScriptedApi } from "../../support/scripted/ScriptedApi.ts"

const recorded = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../fixtures/api/${name}.json`, import.meta.url), "utf8")) as {
    readonly code: number
    readonly reason: string
    readonly message: string
  }

type Use = (transport: ApiTransport.ApiTransport, api: ScriptedApi) => Effect.Effect<void, unknown>

const program = (answer: Answer, use: Use) =>
  Effect.gen(function* () {
    const api = yield* scriptedApi(answer)
    const kubeConfig = new KubeConfig()
    kubeConfig.loadFromFile(api.kubeconfigPath)
    yield* use(ApiTransport.make(kubeConfig, "test"), api)
  }).pipe(Effect.scoped)

const test = (title: string, answer: Answer, use: Use) =>
  it.live(title, () => Effect.timeout(program(answer, use), "20 seconds"))

const get = { operation: "read it", method: "GET", path: "/it" } as const
const asked = (api: ScriptedApi, times = 1) =>
  eventually("it was asked", () => (api.asked.length >= times ? true : undefined))
const closed = (api: ScriptedApi) =>
  eventually("the connection is closed", () => (api.open() === 0 ? true : undefined))
const never: Answer = () => undefined

describe("an answer as a whole", () => {
  test(
    "comes over one connection, refusals included",
    (_, response, index) => json(response, index % 2 === 0 ? 404 : 200, {}),
    (transport, api) =>
      Effect.gen(function* () {
        for (let turn = 0; turn < 10; turn++) yield* Effect.exit(transport.text(get))
        assert.lengthOf(api.asked, 10)
        assert.strictEqual(api.connections(), 1)
      })
  )

  for (const name of ["401", "rbac", "pss", "uid-precondition"]) {
    const body = recorded(name)
    test(
      `a refusal as a real server words it (${name})`,
      (_, response) => json(response, body.code, body),
      (transport) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(transport.text(get))
          assert.deepStrictEqual(
            [error.status, error.reason, error.detail],
            [body.code, body.reason, body.message]
          )
          assert.isUndefined(error.retryAfter)
        })
    )
  }

  for (const body of ["", "null", "5", "<html>bad gateway</html>"]) {
    test(
      `a refusal that is no Status keeps its code: ${body === "" ? "nothing" : body}`,
      (_, response) => json(response, 502, body, { "retry-after": "7" }),
      (transport) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(transport.text(get))
          assert.deepStrictEqual([error.status, error.reason, error.retryAfter], [502, "Bad Gateway", 7])
        })
    )
  }

  test(
    "one cut in its middle is a passing failure",
    (_, response) => {
      response.writeHead(200, { "content-length": "1000" })
      response.write("{", () => response.destroy())
    },
    (transport) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(transport.text(get))
        assert.strictEqual(error.reason, "ECONNRESET")
        assert.isTrue(error.isTransient)
      })
  )

  test("its connection is closed when nobody waits any more", never, (transport, api) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(transport.text(get))
      yield* asked(api)
      yield* Fiber.interrupt(fiber)
      yield* closed(api)
    })
  )

  it.live("a server that is not there is named by its errno", () =>
    Effect.gen(function* () {
      const kubeConfig = new KubeConfig()
      kubeConfig.loadFromClusterAndUser(
        { name: "c", server: "http://127.0.0.1:1", skipTLSVerify: true },
        { name: "u" }
      )
      const error = yield* Effect.flip(ApiTransport.make(kubeConfig, "test").text(get))
      assert.deepStrictEqual([error.status, error.reason], [0, "ECONNREFUSED"])
    })
  )

  for (const kind of ["text", "lines"] as const) {
    it.effect(`${kind}: a server that never answers is waited for 30 seconds`, () =>
      program(never, (transport, api) =>
        Effect.gen(function* () {
          const call: Effect.Effect<unknown, unknown> =
            kind === "text" ? transport.text(get) : Stream.runDrain(transport.lines(get))
          const fiber = yield* Effect.forkChild(Effect.flip(call))
          yield* TestClock.withLive(asked(api))
          yield* TestClock.adjust("29 seconds")
          assert.isUndefined(fiber.pollUnsafe())
          yield* TestClock.adjust("2 seconds")
          assert.propertyVal(yield* Fiber.join(fiber), "reason", "Timeout")
          yield* TestClock.withLive(closed(api))
        })
      )
    )
  }
})

describe("an answer line by line", () => {
  const start: Answer = (_, response) => {
    response.writeHead(200)
    response.write("one\n")
  }

  test(
    "does not depend on how the bytes are cut, not even within a letter",
    (_, response) => {
      const bytes = Buffer.from("eins\nzwölf\ndrei")
      response.writeHead(200)
      const cuts = [0, 2, 7, 8, bytes.length]
      const write = (part: number): void => {
        if (part === cuts.length) response.end()
        else response.write(bytes.subarray(cuts[part - 1], cuts[part]), () => setImmediate(write, part + 1))
      }
      write(1)
    },
    (transport) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* Stream.runCollect(transport.lines(get)), ["eins", "zwölf", "drei"])
      })
  )

  test("its silence is not a failure, its connection is not the calls'", start, (transport, api) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Stream.runDrain(transport.lines(get)))
      yield* asked(api)
      yield* Effect.forkChild(transport.text(get))
      yield* asked(api, 2)
      assert.strictEqual(api.open(), 2)
      assert.isUndefined(fiber.pollUnsafe())
    })
  )

  test("is let go of by its reader's interruption", start, (transport, api) =>
    Effect.gen(function* () {
      let lines = 0
      const fiber = yield* Effect.forkChild(
        Stream.runForEach(transport.lines(get), () => Effect.sync(() => (lines += 1)))
      )
      yield* eventually("the first line came", () => (lines === 1 ? true : undefined))
      yield* Fiber.interrupt(fiber)
      yield* closed(api)
    })
  )

  test("and before its headers came", never, (transport, api) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Stream.runDrain(transport.lines(get)))
      yield* asked(api)
      yield* Fiber.interrupt(fiber)
      yield* closed(api)
    })
  )

  test(
    "a refusal of it is an error with the Status",
    (_, response) => json(response, 410, { reason: "Expired", message: "too old" }),
    (transport, api) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Stream.runDrain(transport.lines(get)))
        assert.isTrue(error.isExpired)
        assert.strictEqual(error.detail, "too old")
        yield* closed(api)
      })
  )
})

describe("a token that a kubelet rotates", () => {
  it.live("is read anew from its file within a minute", () =>
    Effect.gen(function* () {
      const api = yield* scriptedApi((_, response) => json(response, 200, {}))
      const folder = yield* temporaryFolder
      const tokenFile = path.join(folder, "token")
      const outside = new KubeConfig()
      outside.loadFromFile(api.kubeconfigPath)
      // As `loadFromCluster` makes it of a Pod's files.
      const kubeConfig = new KubeConfig()
      kubeConfig.loadFromOptions({
        clusters: outside.clusters,
        users: [{ name: "inClusterUser", authProvider: { name: "tokenFile", config: { tokenFile } } }],
        contexts: [{ name: "in", cluster: outside.clusters[0]?.name, user: "inClusterUser" }],
        currentContext: "in"
      })
      const transport = ApiTransport.make(kubeConfig, "test")
      yield* Effect.acquireRelease(
        Effect.sync(() => vi.useFakeTimers({ toFake: ["Date"] })),
        () => Effect.sync(() => vi.useRealTimers())
      )
      for (const token of ["first", "second"]) {
        writeFileSync(tokenFile, token)
        yield* transport.text(get)
        assert.strictEqual(api.asked.at(-1)?.headers.authorization, `Bearer ${token}`)
        vi.setSystemTime(Date.now() + 61_000)
      }
    }).pipe(Effect.scoped)
  )
})
