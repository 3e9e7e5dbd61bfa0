/** The connection to a real Temporal server: TLS in all its forms, and what is set up in a namespace. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import * as tls from "node:tls"
import { TemporalServer } from "../../dev/temporal/TemporalServer.ts"
import * as Namespace from "../../src/temporal/Namespace.ts"
import { TemporalClient } from "../../src/temporal/TemporalClient.ts"
import { TemporalRuntime } from "../../src/temporal/TemporalRuntime.ts"
import { temporaryFolder } from "../support/Conditions.ts"
import { certify } from "../support/Certificates.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

type Settings = NonNullable<NonNullable<Parameters<typeof testConfigLayer>[0]>["temporal"]>

/** TLS before a server that has none; `mutual` asks clients for a certificate of the same CA. */
const withTls = (target: string, folder: string, mutual: boolean) =>
  Effect.gen(function* () {
    const [host = "", port = ""] = target.split(":")
    const read = (name: string) => fs.readFileSync(path.join(folder, name))
    const open = new Set<net.Socket>()
    const options = { key: read("server.key"), cert: read("server.crt"), ca: read("ca.crt") }
    const server = tls.createServer(
      { ...options, ALPNProtocols: ["h2"], requestCert: mutual, rejectUnauthorized: mutual },
      (socket) => {
        const upstream = net.connect(Number(port), host)
        for (const end of [socket, upstream]) {
          open.add(end)
          end.on("error", () => undefined).on("close", () => (socket.destroy(), upstream.destroy()))
        }
        socket.pipe(upstream).pipe(socket)
      }
    )
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () => Effect.sync(() => (open.forEach((socket) => socket.destroy()), server.close()))
    )
    const address = server.address()
    return `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
  })

const client = (settings: Settings) =>
  TemporalClient.layer.pipe(
    Layer.provideMerge(TemporalRuntime.layer),
    Layer.provideMerge(testConfigLayer({ temporal: settings }))
  )

/** Whether the frontend answers within some seconds. */
const answers = (settings: Settings) =>
  Effect.flatMap(TemporalClient, (temporal) => temporal.answers).pipe(
    Effect.timeoutOrElse({ duration: "4 seconds", orElse: () => Effect.succeed(false) }),
    Effect.provide(client(settings))
  )

/** The chart's. */
const testRetention = Duration.hours(168)
const OURS = "IP:127.0.0.1"
const OTHERS = "DNS:temporal.example.com"

describe("TLS to Temporal", () => {
  const cases: ReadonlyArray<
    readonly [string, string, boolean, (file: (name: string) => string) => Settings, boolean]
  > = [
    ["its CA is enough", OURS, false, (file) => ({ serverCa: file("ca.crt") }), true],
    ["the system's roots do not know it", OURS, false, () => ({ tls: true }), false],
    ["another name is none", OTHERS, false, (file) => ({ serverCa: file("ca.crt") }), false],
    [
      "another name that is said is good",
      OTHERS,
      false,
      (file) => ({ serverCa: file("ca.crt"), serverName: "temporal.example.com" }),
      true
    ],
    [
      "a server that asks for a certificate wants one",
      OURS,
      true,
      (file) => ({ serverCa: file("ca.crt") }),
      false
    ],
    [
      "and takes one of its CA",
      OURS,
      true,
      (file) => ({ serverCa: file("ca.crt"), clientCert: file("server.crt"), clientKey: file("server.key") }),
      true
    ],
    ["a file that is missing is waited for", OURS, false, () => ({ serverCa: "/nowhere/ca.crt" }), false]
  ]
  for (const [what, host, mutual, settings, expected] of cases) {
    it.live(
      `TLS: ${what}`,
      () =>
        Effect.scoped(
          Effect.gen(function* () {
            const folder = yield* temporaryFolder
            certify(folder, host)
            const server = yield* TemporalServer
            const address = yield* withTls(server.address, folder, mutual)
            const given = settings((name) => path.join(folder, name))
            assert.strictEqual(yield* answers({ address, ...given }), expected)
          })
        ).pipe(Effect.provide(TemporalServer.layer())),
      30_000
    )
  }
})

describe("a namespace", () => {
  const setUp = (settings: Settings) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ message, logLevel }) => void lines.push(`${logLevel} ${String(message)}`))
      yield* Namespace.setUp.pipe(Effect.provide(client(settings)), Effect.provide(Logger.layer([logger])))
      return lines.filter((line) => line.includes("Temporal: "))
    })

  it.live(
    "gets what OLake's UI looks for, once; one that may not be changed is a warning with the command",
    () =>
      Effect.gen(function* () {
        const { address, temporal } = yield* TemporalServer
        yield* temporal(["operator", "namespace", "create", "--namespace", "olake", "--retention", "24h"])
        const settings: Settings = { address, namespace: "olake", retention: testRetention }
        const [first = "", second = "", ...more] = yield* setUp(settings)
        assert.include(first, "search attribute OperationType registered")
        assert.include(second, "keeps closed runs for 7d")
        assert.deepStrictEqual(more, [])
        assert.deepStrictEqual(yield* setUp(settings), [])
        const { stdout } = yield* temporal([
          "operator",
          "namespace",
          "describe",
          "--namespace",
          "olake",
          "-o",
          "json"
        ])
        assert.include(stdout, "604800")
        // Neither is there a namespace of this name, nor may anybody see it.
        const refused = yield* setUp({ ...settings, namespace: "nobodys" })
        assert.lengthOf(refused, 2)
        for (const line of refused) assert.match(line, /^Warn/)
        assert.include(refused[0], "temporal operator search-attribute create --namespace nobodys")
      }).pipe(Effect.provide(TemporalServer.layer())),
    60_000
  )
})
