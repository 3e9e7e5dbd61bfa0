/** What the watch of Pods counts. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { KubernetesError } from "./api/KubernetesError.ts"

const reconnects = Metric.counter("pod_watch_reconnects_total", {
  description: "Watches that ended, by cause",
  incremental: true
})
const relists = Metric.counter("pod_watch_relists_total", {
  description: "Full lists of Pods",
  incremental: true
})
const missed = Metric.counter("pod_watch_missed_events_total", {
  description: "Changes of Pods that a list has and the watch before it had passed over",
  incremental: true
})
const tracked = Metric.gauge("pods_tracked", { description: "Pods the watch knows" })

export const broke = ({ isExpired, status }: KubernetesError): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(reconnects, { cause: isExpired ? "expired" : String(status) }), 1)

export const listed: Effect.Effect<void> = Metric.update(relists, 1)

/** Said as well, for it tells of a watch that cannot be trusted. */
export const passedOver = (changes: number): Effect.Effect<void> =>
  changes === 0
    ? Effect.void
    : Effect.andThen(
        Metric.update(missed, changes),
        Effect.logWarning(`the watch of Pods had missed ${changes} changes; a list has found them`)
      )

export const known = (pods: number): Effect.Effect<void> => Metric.update(tracked, pods)
