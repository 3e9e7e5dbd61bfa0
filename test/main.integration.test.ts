/** The process as an operator meets it: how it starts, waits, and stops. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as net from "node:net"
import { freePort } from "../dev/world/FreePort.ts"
import { LocalPods } from "../dev/local-pods/LocalPods.ts"
import { Postgres } from "../dev/postgres/Postgres.ts"
import { TemporalServer } from "../dev/temporal/TemporalServer.ts"
import { eventually, temporaryFolder } from "./support/Conditions.ts"
import { ask, startWorker, untilReady } from "../dev/world/Worker.ts"

const port = Effect.promise(() => freePort())

const complete = {
  TEMPORAL_HOST_PORT: "127.0.0.1:1",
  TEMPORAL_NAMESPACE: "default",
  TEMPORAL_TASK_QUEUE: "olake",
  DB_HOST: "127.0.0.1",
  DB_PORT: "5432",
  DB_NAME: "postgres",
  DB_USER: "olake",
  DB_PASSWORD: "marker-password"
}

describe("a start that cannot work", () => {
  it.live("prints one line for each variable that is wrong, no secret, and exits with 1", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const worker = yield* startWorker({
          ...complete,
          DB_PORT: "x",
          LOG_LEVEL: "loud",
          TEMPORAL_NAMESPACE: ""
        })
        assert.strictEqual(yield* worker.exited, 1)
        const lines = worker.output().trim().split("\n")
        assert.lengthOf(
          lines.filter((line) => line.startsWith("- ")),
          3
        )
        for (const variable of ["DB_PORT", "LOG_LEVEL", "TEMPORAL_NAMESPACE"])
          assert.include(worker.output(), variable)
        assert.notInclude(worker.output(), "marker")
      })
    )
  )

  it.live("names a kubeconfig that is not there", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const worker = yield* startWorker({
          ...complete,
          HEALTH_PORT: String(yield* port),
          KUBECONFIG: "/nowhere/config"
        })
        assert.strictEqual(yield* worker.exited, 1)
        assert.include(worker.output(), "/nowhere/config")
      })
    )
  )

  it.live("names a port that is taken", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const taken = yield* Effect.acquireRelease(
          Effect.callback<net.Server>((resume) => {
            const server = net.createServer().listen(0, () => resume(Effect.succeed(server)))
          }),
          (server) => Effect.sync(() => server.close())
        )
        const address = taken.address()
        const HEALTH_PORT = String(typeof address === "object" && address !== null ? address.port : 0)
        const pods = yield* Layer.build(LocalPods.layer())
        const { kubeconfigPath } = yield* LocalPods.pipe(Effect.provide(pods))
        const worker = yield* startWorker({ ...complete, HEALTH_PORT, KUBECONFIG: kubeconfigPath })
        assert.strictEqual(yield* worker.exited, 1)
        assert.include(worker.output(), "EADDRINUSE")
      })
    )
  )
})

describe("order of starting", () => {
  it.live(
    "before Temporal and Postgres: it waits, says so, is ready when they are, loses its readiness with them, and stops cleanly",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const storage = yield* temporaryFolder
          const parts = yield* Layer.build(
            Layer.mergeAll(LocalPods.layer(), Postgres.layer(), TemporalServer.layer())
          )
          const { kubeconfigPath } = yield* LocalPods.pipe(Effect.provide(parts))
          const postgres = yield* Postgres.pipe(Effect.provide(parts))
          const temporal = yield* TemporalServer.pipe(Effect.provide(parts))
          yield* temporal.stop
          yield* postgres.stop
          const healthPort = yield* port
          const worker = yield* startWorker({
            ...complete,
            TEMPORAL_HOST_PORT: temporal.address,
            DB_PORT: String(postgres.port),
            DB_PASSWORD: postgres.password,
            SHARED_STORAGE_PATH: storage,
            KUBECONFIG: kubeconfigPath,
            HEALTH_PORT: String(healthPort)
          })
          yield* eventually("the log says what it waits for", () =>
            worker.output().includes("waiting for it") && worker.output().includes(temporal.address)
              ? true
              : undefined
          )
          const checks = () =>
            ask(healthPort, "/health/ready").then(
              ({ body }) => (JSON.parse(body) as { checks: Record<string, string> }).checks,
              () => undefined
            )
          const alive = yield* eventually("it answers", () =>
            ask(healthPort, "/health/live").catch(() => undefined)
          )
          assert.strictEqual(alive.status, 200)
          assert.deepInclude(yield* Effect.promise(checks), {
            database: "disconnected",
            temporal: "disconnected"
          })

          yield* postgres.start
          yield* eventually("Postgres is seen", async () =>
            (await checks())?.database === "connected" ? true : undefined
          )
          yield* temporal.start
          yield* untilReady(healthPort)

          yield* postgres.stop
          yield* eventually("Postgres is missed", async () =>
            (await checks())?.database === "disconnected" ? true : undefined
          )
          const still = yield* Effect.promise(() => ask(healthPort, "/health/live"))
          assert.strictEqual(still.status, 200)
          yield* postgres.start
          yield* untilReady(healthPort)

          const began = Date.now()
          yield* worker.signal("SIGTERM")
          assert.strictEqual(yield* worker.exited, 0)
          assert.isBelow(Date.now() - began, 10_000)
          assert.include(worker.output(), "worker is draining")
        })
      ),
    60_000
  )
})

describe("commands", () => {
  const run = (...args: ReadonlyArray<string>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const started = yield* startWorker({}, { args })
        const exitCode = yield* started.exited
        return { exitCode, output: started.output() }
      })
    )

  for (const [args, exitCode, words] of [
    [["--version"], 0, "olake-worker v0.1.0"],
    [["--help"], 0, "doctor"],
    [["doctor", "--help"], 0, "--json"],
    [["nonsense"], 2, `Unknown subcommand "nonsense"`],
    [["doctor", "--jsn"], 2, "--jsn"],
    [["doctor", "--image", "no version"], 2, "expected CONNECTOR:VERSION"],
    [["doctor"], 1, "TEMPORAL_NAMESPACE: is required but not set"]
  ] as const) {
    it.live(`olake-worker ${args.join(" ")}`, () =>
      Effect.gen(function* () {
        const ran = yield* run(...args)
        assert.strictEqual(ran.exitCode, exitCode)
        assert.include(ran.output, words)
      })
    )
  }
})
