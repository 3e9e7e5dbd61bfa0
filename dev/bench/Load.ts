/** What the worker takes while it starts, while it has nothing to do, and while many syncs run. */
import * as Effect from "effect/Effect"
import { setTimeout as sleep } from "node:timers/promises"
import { difference } from "../cluster/Client.ts"
import type { Figure } from "./Figures.ts"
import { until } from "../cluster/Place.ts"
import { cpuShare, type Worker, type World } from "./Measured.ts"
import { besidesWatch } from "./Requests.ts"
import { startSync } from "./Runs.ts"

const WINDOW_MS = 20_000
const SYNCS_WINDOW_MS = 60_000

/** From the start of the process to /ready's 200, over and over. */
export const starts = (world: World, count: number) =>
  Effect.gen(function* () {
    const times = yield* Effect.forEach(Array.from({ length: count }), () =>
      Effect.scoped(Effect.map(world.startWorker, ({ started }) => started))
    )
    const group = "start"
    const figures: ReadonlyArray<Figure> = [
      {
        group,
        name: "start -> /ready answers 200",
        unit: "ms",
        values: times.map(({ ready }) => ready),
        limit: 1000
      },
      { group, name: "step: start -> listens", unit: "ms", values: times.map(({ listening }) => listening) },
      {
        group,
        name: "step: -> ready",
        unit: "ms",
        values: times.map(({ ready, listening }) => ready - listening)
      }
    ]
    return figures
  })

/** Of a worker that has just started and has seen no job. */
export const idle = async (worker: Worker): Promise<ReadonlyArray<Figure>> => {
  await sleep(WINDOW_MS)
  const before = await worker.usage()
  await sleep(WINDOW_MS)
  const after = await worker.usage()
  const group = "idle"
  return [
    { group, name: "RSS after 20 s", unit: "MiB", values: [before.rss], limit: 150 },
    { group, name: "  of it anonymous (heaps, stacks)", unit: "MiB", values: [before.anonymous] },
    { group, name: "  of it files (node, Temporal's core)", unit: "MiB", values: [before.files] },
    { group, name: "highest RSS since the start", unit: "MiB", values: [before.peak] },
    { group, name: "one core's share over 20 s", unit: "%", values: [cpuShare(before, after)], limit: 1 }
  ]
}

/** Syncs that sleep: what waiting costs. Their Pods end with the namespace. */
export const runningSyncs = async (
  world: World,
  worker: Worker,
  count: number
): Promise<ReadonlyArray<Figure>> => {
  const already = world.pods.count("running")
  const rested = await worker.usage()
  const jobs = await Promise.all(Array.from({ length: count }, () => world.newJob({ scenario: "sleep" })))
  await Promise.all(jobs.map((jobId) => startSync(world, jobId)))
  await until(`${count} syncs are running`, async () => world.pods.count("running") >= already + count)
  await sleep(10_000)
  const [before, requestsBefore] = [await worker.usage(), await worker.requests()]
  await sleep(SYNCS_WINDOW_MS)
  const [after, requests] = [await worker.usage(), await worker.requests()]
  const made = [...besidesWatch(difference(requests, requestsBefore)).values()].reduce((a, b) => a + b, 0)
  const perMinute = (made * 60_000) / (after.at - before.at)
  const group = `${count} running syncs, over a minute`
  return [
    {
      group,
      name: "API requests a minute, all syncs",
      unit: "requests",
      values: [perMinute],
      go: 12 * count
    },
    { group, name: "RSS", unit: "MiB", values: [after.rss] },
    { group, name: "RSS before these syncs, after all jobs so far", unit: "MiB", values: [rested.rss] },
    { group, name: "one core's share", unit: "%", values: [cpuShare(before, after)] }
  ]
}
