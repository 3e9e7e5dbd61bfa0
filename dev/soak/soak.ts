/** Syncs that count, on a real cluster, while everything around them fails; and what came of it. */
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { ofWriter } from "../../src/olake/Workdir.ts"
import { type ClusterWorld, crowdedWorld } from "../world/World.ts"
import { deletePods, type Done, freezeApi, killWorkers } from "./Chaos.ts"
import { makeFleet } from "./Fleet.ts"
import { type Interval, intervalsOf, judge } from "./Writers.ts"

export interface SoakOptions {
  /** How long new runs are begun. */
  readonly seconds: number
  /** Jobs that sync at a time. */
  readonly syncs: number
  readonly workers: number
  /** How long the API server is frozen at a time. */
  readonly freeze?: number | undefined
  readonly workerLog?: string
}

export interface SoakResult extends Done {
  readonly runs: number
  /** Connectors that ran for them. */
  readonly connectors: number
  readonly secondWriters: ReadonlyArray<string>
  readonly lostResults: ReadonlyArray<string>
  readonly lostCheckpoints: ReadonlyArray<string>
}

/** Half seconds that a connector counts: a run of 4 to 10 s. */
const stepsOf = (jobId: number): number => 8 + (jobId % 5) * 3

/** What the connectors of a run have noted. */
export const notedBy = (world: ClusterWorld, workflowId: string): ReadonlyArray<Interval> => {
  try {
    const log = readFileSync(join(world.storage, ofWriter(workflowId), "writers.log"), "utf8")
    return intervalsOf(workflowId, log)
  } catch {
    return []
  }
}

/** How far the job's row counts. */
export const savedBy = async (world: ClusterWorld, jobId: number): Promise<number> =>
  Number(/"counter": ?(\d+)/.exec(await world.stateOf(jobId))?.[1] ?? 0)

/** One job's runs, one after the other, until the time is up. */
const runJob = async (world: ClusterWorld, jobId: number, until: number, lostResults: Array<string>) => {
  const workflowIds: Array<string> = []
  while (Date.now() < until) {
    const workflowId = `sync-123-${jobId}-${workflowIds.length + 1}`
    workflowIds.push(workflowId)
    const request = { command: "sync", job_id: jobId, workflow_id: workflowId, project_id: "123" }
    await world.client.workflow
      .execute("RunSyncWorkflow", { workflowId, taskQueue: world.taskQueue, args: [request] })
      .catch((error: unknown) => {
        const cause =
          error instanceof Error && error.cause instanceof Error ? (error.cause.cause ?? error.cause) : error
        lostResults.push(`${workflowId}: ${cause instanceof Error ? cause.message : String(cause)}`)
      })
  }
  return workflowIds
}

export const soak = (options: SoakOptions) =>
  Effect.gen(function* () {
    const { seconds, syncs, workers, workerLog } = options
    const world = yield* crowdedWorld("olake-soak")
    const fleet = yield* makeFleet(world.env, workers, workerLog)
    const done: Done = { kills: 0, deletes: 0, freezes: 0 }
    const lostResults: Array<string> = []
    const jobs = yield* Effect.promise(() =>
      Promise.all(
        Array.from({ length: syncs }, (_, index) =>
          world.newJob({ scenario: "count", steps: stepsOf(index) })
        )
      )
    )
    const until = Date.now() + seconds * 1000
    const work = Effect.promise(() =>
      Promise.all(jobs.map((jobId) => runJob(world, jobId, until, lostResults)))
    )
    const chaos = Effect.all(
      [killWorkers(fleet, done), deletePods(world, done), freezeApi(options.freeze, done)],
      {
        concurrency: "unbounded"
      }
    )
    const runs = yield* Effect.raceFirst(work, Effect.andThen(chaos, Effect.never))
    const secondWriters: Array<string> = []
    const lostCheckpoints: Array<string> = []
    let connectors = 0
    for (const [index, jobId] of jobs.entries()) {
      const intervals = (runs[index] ?? []).flatMap((run) => notedBy(world, run))
      connectors += intervals.length
      const saved = yield* Effect.promise(() => savedBy(world, jobId))
      const judgement = judge(jobId, intervals, saved)
      secondWriters.push(...judgement.secondWriters)
      lostCheckpoints.push(...judgement.lostCheckpoints)
    }
    const count = runs.reduce((sum, ids) => sum + ids.length, 0)
    return {
      ...done,
      runs: count,
      connectors,
      secondWriters,
      lostResults,
      lostCheckpoints
    } satisfies SoakResult
  })
