/**
 * The Temporal SDK's one runtime per process: its log goes through ours, its metrics to a loopback port
 * that Health reads, and signals stay with us.
 */
import { DefaultLogger, Runtime } from "@temporalio/worker"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { get } from "node:http"
import { createServer } from "node:net"
import { text } from "node:stream/consumers"
import * as Logging from "../Logging.ts"

/** Installed once per process, whatever number of layers ask for it. */
let installed: { readonly metricsUrl: string } | undefined

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
      const run = Effect.runForkWith(services)
      if (installed === undefined) {
        const port = yield* freePort
        Runtime.install({
          shutdownSignals: [],
          logger: new DefaultLogger("DEBUG", ({ level, message, meta }) => {
            run(Logging.fromTemporal(level, message, meta))
          }),
          telemetryOptions: {
            logging: { filter: { core: "WARN", other: "ERROR" }, forward: {} },
            metrics: {
              prometheus: { bindAddress: `127.0.0.1:${port}`, countersTotalSuffix: true, unitSuffix: true }
            }
          }
        })
        installed = { metricsUrl: `http://127.0.0.1:${port}/metrics` }
      }
      const { metricsUrl } = installed
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
