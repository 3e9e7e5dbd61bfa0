/**
 * Requests to the API server per job, counted twice: by the worker, and by the API server. The server counts
 * everybody, the kubelet and the scheduler too; what these do for a Pod is seen where a bare client makes it.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { answeredRequests, difference } from "../cluster/Client.ts"
import type { Figure } from "./Figures.ts"
import type { Worker, World } from "./Measured.ts"
import { check, floor, sync } from "./Runs.ts"

/** A bare client's own: POST and DELETE. */
const OWN = 2
const SETTLE_MS = 2_500

type Counts = ReadonlyMap<string, number>

export interface Requests {
  readonly figures: ReadonlyArray<Figure>
  readonly notes: ReadonlyArray<string>
}

const total = (counts: Counts): number => [...counts.values()].reduce((sum, count) => sum + count, 0)

/** A list now and then belongs to the shared watch. */
export const besidesWatch = (counts: Counts): Counts =>
  new Map([...counts].filter(([key]) => !/^(list|watch) /i.test(key)))

const each = (counts: Counts, jobs: number): string =>
  [...counts]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([key, count]) => `${key} ${Number((count / jobs).toFixed(2))}`)
    .join(", ")

interface Block {
  readonly worker: Counts
  readonly server: Counts
  /** Pods made by anybody: more than ours means that others were at work. */
  readonly foreign: number
}

const during = async (
  world: World,
  worker: Worker,
  jobs: number,
  run: () => Promise<unknown>
): Promise<Block> => {
  const [ownBefore, serverBefore] = await Promise.all([worker.requests(), answeredRequests(world.api)])
  for (let job = 0; job < jobs; job++) await run()
  // The kubelet is not done with a Pod when its job is.
  await sleep(SETTLE_MS)
  const [own, server] = await Promise.all([worker.requests(), answeredRequests(world.api)])
  const answered = besidesWatch(difference(server, serverBefore))
  return {
    worker: besidesWatch(difference(own, ownBefore)),
    server: answered,
    foreign: (answered.get("POST pods") ?? 0) - jobs
  }
}

export const requestsPerJob = async (world: World, worker: Worker, jobs: number): Promise<Requests> => {
  const jobId = await world.newJob({ scenario: "ok-sync" })
  const model = await check(world)
  await sleep(SETTLE_MS)
  const bareCheck = await during(world, worker, jobs, () => floor(world, model))
  const bareSync = await during(world, worker, jobs, () => floor(world, model, "ended"))
  const checks = await during(world, worker, jobs, () => check(world))
  const syncs = await during(world, worker, jobs, () => sync(world, jobId))
  const group = "API requests per job, besides the shared watch"
  const blocks = { check: { block: checks, bare: bareCheck }, sync: { block: syncs, bare: bareSync } }
  const figures = Object.entries(blocks).flatMap(([kind, { block, bare }]): ReadonlyArray<Figure> => [
    {
      group,
      name: `${kind}: by the worker's own count`,
      unit: "requests",
      values: [total(block.worker) / jobs],
      limit: 3,
      go: 5
    },
    {
      group,
      name: `${kind}: by the API server, less what the cluster does itself`,
      unit: "requests",
      values: [(total(block.server) - total(bare.server)) / jobs + OWN]
    }
  ])
  // Only Pods made by others spoil the comparison; the worker's own count is of itself alone.
  const disturbed = [bareCheck, bareSync, checks, syncs].some(({ foreign }) => foreign !== 0)
  return {
    figures,
    notes: [
      `the worker's, per check: ${each(checks.worker, jobs)}; per sync: ${each(syncs.worker, jobs)}`,
      `the API server's, per check: ${each(checks.server, jobs)}`,
      `the API server's, per sync: ${each(syncs.server, jobs)}`,
      `the API server's, per Pod of a bare client, ${OWN} of them its own: as a check's ${each(bareCheck.server, jobs)}`,
      `the same, deleted as a sync's: ${each(bareSync.server, jobs)}`,
      ...(disturbed ? ["others made Pods meanwhile: the API server's counts are not ours alone"] : [])
    ]
  }
}
