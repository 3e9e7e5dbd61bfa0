/**
 * The Temporal SDK's one runtime per process: its log goes through ours, its metrics to a loopback port
 * that Http reads, and signals stay with us.
 */
import { DefaultLogger, Runtime } from "@temporalio/worker"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { get } from "node:http"
import { createServer } from "node:net"
import { text } from "node:stream/consumers"
import * as Logging from "../Logging.ts"

/**
 * Warnings of the SDK's core, but not those of every call that it tries again: a frontend that is away costs some hundred
 * a minute. TemporalOutage says it once.
 */
const LOGGED = [
  "ERROR",
  "temporalio_sdk_core=WARN",
  "temporalio_sdk_core::worker::activities::activity_heartbeat_manager=ERROR",
  "temporalio_client=WARN",
  "temporalio_client::retry=OFF",
  "temporalio_sdk=WARN"
].join(",")

/** One per process, shared by all layers that ask for it; gone with the last of them. */
const shared = { users: 0, metricsUrl: "" }

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() =>
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
    )
  })
})

export class TemporalRuntime extends Context.Service<
  TemporalRuntime,
  {
    /** The SDK's own metrics as Prometheus text; empty where they cannot be had. */
    readonly metrics: Effect.Effect<string>
  }
>()("olake-worker/temporal/TemporalRuntime") {
  static readonly layer = Layer.effect(
    TemporalRuntime,
    Effect.gen(function* () {
      const services = yield* Effect.context()
      const log = Effect.runForkWith(services)
      const port = yield* freePort
      const install = Effect.sync(() => {
        shared.users += 1
        if (shared.users > 1) return
        shared.metricsUrl = `http://127.0.0.1:${port}/metrics`
        Runtime.install({
          shutdownSignals: [],
          logger: new DefaultLogger("DEBUG", ({ level, message, meta }) => {
            log(Logging.fromTemporal(level, message, meta))
          }),
          telemetryOptions: {
            logging: { filter: LOGGED, forward: {} },
            metrics: {
              prometheus: { bindAddress: `127.0.0.1:${port}`, countersTotalSuffix: true, unitSuffix: true }
            }
          }
        })
      })
      // Without it a program that never came to connect would not end.
      const release = Effect.promise(async () => {
        shared.users -= 1
        if (shared.users === 0) await Runtime.instance().shutdown()
      })
      yield* Effect.acquireRelease(install, () => release)
      const { metricsUrl } = shared
      return TemporalRuntime.of({
        metrics: Effect.tryPromise((signal) => textOf(metricsUrl, signal)).pipe(
          Effect.timeout("2 seconds"),
          Effect.orElseSucceed(() => "")
        )
      })
    })
  )
}

/** Not `fetch`: it costs 10 MiB of memory for good. */
const textOf = (url: string, signal: AbortSignal): Promise<string> =>
  new Promise((resolve, reject) => {
    get(url, { signal }, (response) => text(response).then(resolve, reject)).once("error", reject)
  })
