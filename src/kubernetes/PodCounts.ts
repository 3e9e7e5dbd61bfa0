/** Counts what is done about Pods, for Prometheus. */
import type * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

const creations = Metric.counter("pods_created_total", {
  description: "Pods that were created, by operation",
  incremental: true
})
const adoptions = Metric.counter("pods_adopted_total", {
  description: "Waits for a Pod that was there already: of another worker, or of an attempt before",
  incremental: true
})

export const created = (operation: string): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(creations, { operation }), 1)

export const adopted: Effect.Effect<void> = Metric.update(adoptions, 1)
