/** The last look at what goes to a collector: secrets masked, names as in the documents. Pure. */
import type { MetricsData } from "effect/observability/OtlpMetrics"
import type { TraceData } from "effect/observability/OtlpTracer"
import type { Mask } from "../Masking.ts"
import { PREFIX } from "../Metrics.ts"
import { ROOT } from "../Tracing.ts"

/** Masks every text, like the log's lines. */
export const masking = (masked: Mask) => {
  const walk = (value: unknown): unknown => {
    if (typeof value === "string") return masked(value)
    if (Array.isArray(value)) return value.map(walk)
    if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item)]))
  }
  // SAFETY: texts become texts, all else stays as it is.
  return <A>(data: A): A => walk(data) as A
}

/** The span that stands for a run has the id that all others of the run name as their parent, and none itself. */
export const rooted = ({ resourceSpans }: TraceData): TraceData => ({
  resourceSpans: resourceSpans.map((group) => ({
    ...group,
    scopeSpans: group.scopeSpans.map((scope) => ({
      ...scope,
      spans: scope.spans.map((span) =>
        span.parentSpanId !== undefined && span.attributes.some(({ key }) => key === ROOT)
          ? { ...span, spanId: span.parentSpanId, parentSpanId: undefined }
          : span
      )
    }))
  }))
})

export const named = ({ resourceMetrics }: MetricsData): MetricsData => ({
  resourceMetrics: resourceMetrics.map((group) => ({
    ...group,
    scopeMetrics: group.scopeMetrics.map((scope) => ({
      ...scope,
      metrics: scope.metrics.map((metric) => ({ ...metric, name: `${PREFIX}_${metric.name}` }))
    }))
  }))
})
