/** Liveness, readiness and metrics over HTTP. Alive: the event loop turns. Ready: work would succeed now. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { createServer } from "node:http"
import { WorkerConfig } from "./Config.ts"
import * as Database from "./database/Database.ts"
import { PodWatch } from "./kubernetes/PodWatch.ts"
import { SharedStorage } from "./storage/SharedStorage.ts"
import { TemporalClient } from "./temporal/TemporalClient.ts"
import { TemporalRuntime } from "./temporal/TemporalRuntime.ts"
import { PREFIX } from "./Metrics.ts"
import * as StatusRoutes from "./status/StatusRoutes.ts"
import { isTraced } from "./Tracing.ts"
import { Worker } from "./Worker.ts"
import { monitorEventLoopDelay, performance } from "node:perf_hooks"
import { version } from "./Version.ts"

const build = Metric.gauge("build_info", {
  description: "Always 1; the worker's version and Node's",
  attributes: { version, node: process.version }
})
const memory = Metric.gauge("process_resident_memory_bytes", { description: "Resident memory" })
const started = Metric.gauge("process_start_time_seconds", {
  description: "Start, in seconds since the epoch"
})
const lag = Metric.gauge("event_loop_lag_seconds", {
  description: "99th percentile of the event loop's lag since the metrics were last read"
})

/** Milliseconds; a finer one wakes the processor for nothing. */
const RESOLUTION = 100
const NANOSECONDS = 1e9

const delay = monitorEventLoopDelay({ resolution: RESOLUTION })
delay.enable()

/** Nobody has looked before, or the loop has not turned since. */
const lagNow = (): number => {
  const measured = delay.percentile(99) / NANOSECONDS - RESOLUTION / 1_000
  delay.reset()
  return Number.isFinite(measured) ? Math.max(0, measured) : 0
}

/** Brings these up to date; for whoever is about to tell them. */
const processMetrics: Effect.Effect<void> = Effect.suspend(() =>
  Effect.all(
    [
      Metric.update(build, 1),
      Metric.update(memory, process.memoryUsage.rss()),
      Metric.update(started, Math.round(performance.timeOrigin / 1_000)),
      Metric.update(lag, lagNow())
    ],
    { discard: true }
  )
)

const ok = (good: string, bad: string) => (value: boolean) => (value ? good : bad)

/** Each check is bounded by itself, so that this answers within about two seconds whatever hangs. */
const readiness = Effect.gen(function* () {
  const worker = yield* Worker
  const temporal = yield* TemporalClient
  const watch = yield* PodWatch
  const storage = yield* SharedStorage
  const polling = Effect.map(worker.status, (status) => status === "running")
  return yield* Effect.all(
    {
      database: Effect.map(Database.ping, ok("connected", "disconnected")),
      temporal: Effect.map(
        Effect.flatMap(polling, (is) => (is ? temporal.answers : Effect.succeed(false))),
        ok("connected", "disconnected")
      ),
      kubernetes: Effect.map(watch.healthy, ok("connected", "disconnected")),
      storage: Effect.map(storage.isWritable, ok("writable", "not_writable"))
    },
    { concurrency: "unbounded" }
  )
})

const GOOD = new Set(["connected", "writable"])

const timestamp = Effect.map(DateTime.now, DateTime.formatIso)

const answer = (healthy: boolean, body: Readonly<Record<string, unknown>>) =>
  HttpServerResponse.text(`${JSON.stringify(body)}\n`, {
    status: healthy ? 200 : 503,
    contentType: "application/json"
  })

const live = Effect.gen(function* () {
  const worker = yield* Worker
  const failed = (yield* worker.status) === "failed"
  return answer(!failed, {
    status: failed ? "unhealthy" : "healthy",
    timestamp: yield* timestamp,
    checks: { worker: failed ? "temporal_worker_failed" : "running" }
  })
})

const ready = Effect.gen(function* () {
  const checks = yield* readiness
  const isReady = Object.values(checks).every((value) => GOOD.has(value))
  return answer(isReady, { status: isReady ? "ready" : "not_ready", timestamp: yield* timestamp, checks })
})

const watchHealthy = Metric.gauge("pod_watch_healthy", {
  description: "1 while the API server has been heard from in the last 5 minutes"
})

/** Brings up to date what is not counted where it happens. */
const refresh = Effect.gen(function* () {
  const { healthy } = yield* PodWatch
  yield* Metric.update(watchHealthy, (yield* healthy) ? 1 : 0)
  yield* processMetrics
})

/** For an exporter, which asks nobody. */
const refreshing = Layer.effectDiscard(
  Effect.flatMap(isTraced, (exports) =>
    exports ? Effect.forkScoped(Effect.repeat(refresh, Schedule.spaced("30 seconds"))) : Effect.void
  )
)

const metrics = Effect.gen(function* () {
  const runtime = yield* TemporalRuntime
  yield* refresh
  const own = yield* PrometheusMetrics.format({ prefix: PREFIX })
  return HttpServerResponse.text(`${own}\n${yield* runtime.metrics}`, {
    contentType: "text/plain; version=0.0.4; charset=utf-8"
  })
})

const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/health/live", live),
  HttpRouter.add("GET", "/health", live),
  HttpRouter.add("GET", "/health/ready", ready),
  HttpRouter.add("GET", "/ready", ready),
  HttpRouter.add("GET", "/metrics", metrics),
  StatusRoutes.layer
)

/** The port is taken, or is not ours to take. */
export class HealthPortError extends Schema.TaggedError<HealthPortError>()("HealthPortError", {
  port: Schema.Int,
  detail: Schema.String
}) {
  override get message(): string {
    return `HEALTH_PORT: cannot listen on port ${this.port}: ${this.detail}. Choose another port, or stop what uses it.`
  }
}

const server = Layer.unwrap(
  Effect.map(WorkerConfig, ({ health: { port } }) =>
    NodeHttpServer.layer(createServer, { port, gracefulShutdownTimeout: "1 second" }).pipe(
      Layer.catch(({ cause }) =>
        Layer.effectContext(
          Effect.fail(
            new HealthPortError({ port, detail: cause instanceof Error ? cause.message : String(cause) })
          )
        )
      )
    )
  )
)

export const layer = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(server),
  Layer.merge(refreshing)
)
