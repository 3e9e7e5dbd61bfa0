/**
 * Traces, metrics and logs to an OpenTelemetry collector (OTLP over HTTP), by OpenTelemetry's own variables. Without an
 * endpoint nothing of it is loaded. A collector that is away costs its telemetry, and nothing else.
 */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import { WorkerConfig } from "../Config.ts"
import { maskOf } from "../Masking.ts"
import { bounded } from "../Schedules.ts"
import { isTraced } from "../Tracing.ts"
import { version } from "../Version.ts"
import { masking, named, rooted } from "./Outgoing.ts"

/** Of one export: batches must not pile up before a collector that hangs. */
const LIMIT = "10 seconds"

const ENDPOINTS = ["", "_TRACES", "_METRICS", "_LOGS"].map((signal) => `OTEL_EXPORTER_OTLP${signal}_ENDPOINT`)

/** As OpenTelemetry has it where an endpoint is set. */
const DEFAULTS = ConfigProvider.layerAdd(
  ConfigProvider.fromUnknown({
    OTEL_TRACES_EXPORTER: "otlp",
    OTEL_METRICS_EXPORTER: "otlp",
    OTEL_LOGS_EXPORTER: "otlp",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    OTEL_SERVICE_NAME: "olake-worker"
  })
)

const exporting = Effect.gen(function* () {
  const settings = yield* WorkerConfig
  const masked = masking(maskOf(settings))
  const protocol = yield* Config.Literals(["http/protobuf", "http/json"], "OTEL_EXPORTER_OTLP_PROTOCOL")
  const { HttpClient, NodeHttpClient, Otlp, OtlpSerialization } = yield* Effect.promise(
    () => import("./Exporters.ts")
  )
  const { layerJson, layerProtobuf } = OtlpSerialization
  const serialization = Layer.effect(
    OtlpSerialization.OtlpSerialization,
    Effect.map(OtlpSerialization.OtlpSerialization, ({ traces, metrics, logs }) => ({
      traces: (data) => traces(masked(rooted(data))),
      metrics: (data) => metrics(named(data)),
      logs: (data) => logs(masked(data))
    }))
  ).pipe(Layer.provide(protocol === "http/json" ? layerJson : layerProtobuf))
  let isAway = false
  /** Once for each outage of the collector. */
  const said = (away: boolean, text: Effect.Effect<void>) =>
    Effect.suspend(() => {
      if (isAway === away) return Effect.void
      isAway = away
      return text
    })
  const gone = said(
    true,
    Effect.logWarning(
      "the OpenTelemetry collector does not take what is exported: it is dropped until it does"
    )
  )
  const back = said(false, Effect.logInfo("the OpenTelemetry collector takes what is exported again"))
  const watched = <E, R>(sent: Effect.Effect<HttpClientResponse, E, R>) =>
    sent.pipe(
      // A defect to the exporter, which drops what it had and asks again after a minute.
      bounded(LIMIT, Effect.die),
      Effect.tap(({ status }) => (status < 400 ? back : gone)),
      Effect.tapCause(() => gone)
    )
  const client = Layer.effect(
    HttpClient.HttpClient,
    Effect.map(HttpClient.HttpClient, HttpClient.transformResponse(watched))
  ).pipe(Layer.provide(NodeHttpClient.layerNodeHttp))
  return Otlp.layerFromConfig({
    resource: {
      serviceVersion: version,
      attributes: { "service.instance.id": settings.kubernetes.podName }
    }
  }).pipe(Layer.provide([serialization, client]), Layer.merge(Layer.succeed(isTraced, true)))
})

/** Values are not said: headers hold tokens. */
const refused = (cause: Cause.Cause<unknown>) => {
  const names = new Set(Cause.pretty(cause).match(/OTEL_\w+/g))
  const which = names.size === 0 ? "OTEL_*" : [...names].join(", ")
  return Layer.effectDiscard(
    Effect.logWarning(`${which}: not understood; no traces, metrics and logs are exported`)
  )
}

export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const set = yield* Effect.forEach(ENDPOINTS, (name) => Config.option(Config.String(name)))
    return set.some(Option.isSome) ? Layer.unwrap(exporting) : Layer.empty
  })
).pipe(Layer.catchCause(refused), Layer.provide(DEFAULTS))
