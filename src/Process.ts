/** What operators look for of any process, as of now. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
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
export const processMetrics: Effect.Effect<void> = Effect.suspend(() =>
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
