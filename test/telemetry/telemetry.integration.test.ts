/** What a collector hears of a run, of a worker as a process. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { eventually } from "../support/Conditions.ts"
import { type Heard, listener, listenerThat } from "../support/Listener.ts"
import { runningSync, succeeded } from "../support/world/Runs.ts"
import { ended } from "../support/world/Workflows.ts"
import { suiteOnLocalPods } from "../support/world/Suites.ts"
import { replaceWorker, SECRET_KEY, World } from "../support/world/World.ts"

const TOKEN = "marker-of-the-collector"

const exportingTo = (url: string, protocol = "http/json") => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${TOKEN}`,
  OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
  OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
  OTEL_BSP_SCHEDULE_DELAY: "100",
  OTEL_BLRP_SCHEDULE_DELAY: "100",
  OTEL_METRIC_EXPORT_INTERVAL: "200"
})

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string }
}

interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: ReadonlyArray<Attribute>
}

interface Traces {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: ReadonlyArray<Attribute> }
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<Span> }>
  }>
}

const bodies = (heard: ReadonlyArray<Heard>, path: string) =>
  heard.filter((one) => one.path === path).map(({ body }) => body)

const valueOf = (attributes: ReadonlyArray<Attribute>, name: string) =>
  attributes.find(({ key }) => key === name)?.value.stringValue

/** Every span, with the worker that told of it. */
const spansOf = (heard: ReadonlyArray<Heard>) =>
  bodies(heard, "/v1/traces").flatMap((body) =>
    (JSON.parse(body) as Traces).resourceSpans.flatMap(({ resource, scopeSpans }) =>
      scopeSpans.flatMap(({ spans }) =>
        spans.map((span) => ({ ...span, worker: valueOf(resource.attributes, "service.instance.id") }))
      )
    )
  )

const workerExportingTo = (url: string, name: string, protocol?: string) =>
  replaceWorker({ ...exportingTo(url, protocol), POD_NAME: name })

suiteOnLocalPods("a collector", "plain", (it) => {
  it.effect(
    "hears of a run as one trace, though its worker dies; logs are of that trace; secrets are nowhere",
    () =>
      Effect.gen(function* () {
        const { postgres } = yield* World
        const { heard, url } = yield* listener
        const first = yield* workerExportingTo(url, "worker-1")
        const { id } = yield* runningSync(20, (job) => job)
        yield* eventually("the first attempt is told of", () =>
          spansOf(heard).some(({ name }) => name === "starting") ? true : undefined
        )
        yield* first.signal("SIGKILL")
        yield* first.exited
        const second = yield* workerExportingTo(url, "worker-2")
        succeeded(yield* ended(id))
        yield* eventually("its end is told of", () =>
          spansOf(heard).some(({ name }) => name === "PostSyncActivity") ? true : undefined
        )

        const spans = spansOf(heard)
        const root = spans.find(({ name }) => name === "sync run")
        assert(root !== undefined)
        assert.strictEqual(valueOf(root.attributes, "temporal.workflow_id"), id)
        assert.isUndefined(root.parentSpanId)
        const own = spans.filter(({ traceId }) => traceId === root.traceId)
        assert.lengthOf(
          own.filter(({ name }) => name === "sync run"),
          1
        )
        const names = own.map(({ name }) => name)
        for (const name of ["SyncActivity", "PostSyncActivity", "preparing", "running", "saving"])
          assert.include(names, name)
        assert.deepStrictEqual(new Set(own.map(({ worker }) => worker)), new Set(["worker-1", "worker-2"]))
        // What another's span is below is there, but for the attempt that died with its worker.
        for (const { name, parentSpanId } of own.filter(({ worker }) => worker === "worker-2"))
          assert.isTrue(
            parentSpanId === root.spanId || own.some(({ spanId }) => spanId === parentSpanId),
            name
          )
        const running = own.find(({ name }) => name === "running")
        const seconds =
          (Number(running?.endTimeUnixNano) - Number(running?.startTimeUnixNano)) / 1_000_000_000
        // Of the connector, not of the second worker.
        assert.isAbove(seconds, 19)

        const line = second
          .output()
          .split("\n")
          .find((text) => text.includes("state saved"))
        assert.include(line, `"trace_id":"${root.traceId}"`)
        assert.include(bodies(heard, "/v1/logs").join("\n"), root.traceId)
        yield* eventually("the metrics come", () =>
          bodies(heard, "/v1/metrics").join("\n").includes("olake_worker_runs_total") ? true : undefined
        )
        assert.include(bodies(heard, "/v1/metrics").at(-1), `"deployment.environment.name"`)
        assert.strictEqual(heard[0]?.headers.authorization, `Bearer ${TOKEN}`)
        const all = heard.map(({ body }) => body).join("\n") + first.output() + second.output()
        for (const secret of [TOKEN, SECRET_KEY, postgres.password]) assert.notInclude(all, secret)
      }),
    90_000
  )
})

for (const [how, reply] of [
  ["answers nothing", () => undefined],
  [
    "refuses all",
    (response: { statusCode: number; end: () => void }) => ((response.statusCode = 503), response.end())
  ]
] as const)
  suiteOnLocalPods(`a collector that ${how}`, "plain", (it) => {
    it.effect(
      "is told of once, and disturbs no run and no stop",
      () =>
        Effect.gen(function* () {
          const { heard, url } = yield* listenerThat(reply)
          const first = yield* workerExportingTo(url, "worker-1", "http/protobuf")
          const { id } = yield* runningSync(14, (job) => job)
          succeeded(yield* ended(id))
          yield* first.signal("SIGTERM")
          assert.strictEqual(yield* first.exited, 0)
          const told = first.output().split("OpenTelemetry collector").length - 1
          assert.strictEqual(told, 1, first.output())
          assert.strictEqual(heard[0]?.headers["content-type"], "application/x-protobuf")
        }),
      60_000
    )
  })

suiteOnLocalPods("variables of OpenTelemetry that make no sense", "plain", (it) => {
  it.effect(
    "are named, without their values; the worker works",
    () =>
      Effect.gen(function* () {
        for (const [name, value] of [
          ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"],
          ["OTEL_EXPORTER_OTLP_HEADERS", `a=%${TOKEN}`],
          ["OTEL_EXPORTER_OTLP_ENDPOINT", `no url ${TOKEN}`]
        ]) {
          const next = yield* replaceWorker({
            ...exportingTo("http://127.0.0.1:9"),
            [name ?? ""]: value ?? ""
          })
          assert.match(next.output(), new RegExp(`${name}.*not understood`))
          assert.notInclude(next.output(), TOKEN)
          yield* next.signal("SIGTERM")
          assert.strictEqual(yield* next.exited, 0)
        }
      }),
    60_000
  )
})
