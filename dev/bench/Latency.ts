/** How long a check and a sync take, and which of their steps takes the time. */
import type { Figure } from "./Figures.ts"
import { check, type Floor, floor, type Run, sync } from "./Runs.ts"
import type { World } from "./Measured.ts"

/** Each check beside the same Pod by a bare client, so that a busy moment of the cluster meets both. */
export const checkLatency = async (world: World, count: number): Promise<ReadonlyArray<Figure>> => {
  const model = await check(world) // the first loads code and images; not counted
  await floor(world, model)
  const checks: Array<Run> = []
  const floors: Array<Floor> = []
  for (let round = 0; round < count; round++) {
    const first = round % 2 === 0
    if (first) checks.push(await check(world))
    floors.push(await floor(world, model))
    if (!first) checks.push(await check(world))
  }
  const of = (time: (run: Run) => number) => checks.map(time)
  const completed = (run: Run) => run.activities[0]?.completed ?? Number.NaN
  const begun = (run: Run) => run.activities[0]?.started ?? Number.NaN
  const whole = "check, whole workflow"
  const end = "check, from the container's exit to the result"
  return [
    {
      group: whole,
      name: "start -> closed",
      unit: "ms",
      values: of((run) => run.closed - run.started),
      limit: 2000,
      go: 5080
    },
    { group: whole, name: "the same Pod by a bare client", unit: "ms", values: floors.map((it) => it.whole) },
    {
      group: whole,
      name: "ratio of the two, round by round",
      unit: "x",
      values: checks.map((run, round) => (run.closed - run.started) / (floors[round]?.whole ?? Number.NaN))
    },
    {
      group: whole,
      name: "step: start -> activity begins",
      unit: "ms",
      values: of((run) => begun(run) - run.started)
    },
    {
      group: whole,
      name: "step: -> Pod is there",
      unit: "ms",
      values: of((run) => run.created - begun(run))
    },
    {
      group: whole,
      name: "step: -> container exits",
      unit: "ms",
      values: of((run) => run.exited - run.created)
    },
    {
      group: whole,
      name: "step: -> activity completed",
      unit: "ms",
      values: of((run) => completed(run) - run.exited)
    },
    {
      group: whole,
      name: "step: -> workflow closed",
      unit: "ms",
      values: of((run) => run.closed - completed(run))
    },
    {
      group: end,
      name: "exit -> workflow closed",
      unit: "ms",
      values: of((run) => run.closed - run.exited),
      limit: 1000,
      go: 4550
    },
    {
      group: end,
      name: "exit -> activity completed",
      unit: "ms",
      values: of((run) => completed(run) - run.exited)
    },
    {
      group: end,
      name: "step: exit -> the Pod's status says so",
      unit: "ms",
      values: of((run) => run.reported - run.exited)
    },
    { group: end, name: "  the same, bare client", unit: "ms", values: floors.map((it) => it.report) },
    {
      group: end,
      name: "step: -> activity completed",
      unit: "ms",
      values: of((run) => completed(run) - run.reported)
    },
    {
      group: end,
      name: "step: -> workflow closed",
      unit: "ms",
      values: of((run) => run.closed - completed(run))
    }
  ]
}

export const syncLatency = async (world: World, count: number): Promise<ReadonlyArray<Figure>> => {
  const jobId = await world.newJob({ scenario: "ok-sync" })
  await sync(world, jobId)
  const syncs: Array<Run> = []
  for (let round = 0; round < count; round++) syncs.push(await sync(world, jobId))
  const of = (time: (run: Run) => number | undefined) => syncs.map((run) => time(run) ?? Number.NaN)
  const waited = (run: Run) => run.activities[0]?.completed ?? Number.NaN
  const persisting = (run: Run) => run.activities[1]?.started ?? Number.NaN
  const group = "sync, whole workflow"
  return [
    { group, name: "start -> closed", unit: "ms", values: of((run) => run.closed - run.started) },
    { group, name: "exit -> workflow closed", unit: "ms", values: of((run) => run.closed - run.exited) },
    {
      group,
      name: "exit -> state in Postgres",
      unit: "ms",
      values: of((run) => (run.saved ?? Number.NaN) - run.exited)
    },
    {
      group,
      name: "step: exit -> the Pod's status says so",
      unit: "ms",
      values: of((run) => run.reported - run.exited)
    },
    {
      group,
      name: "step: -> SyncActivity completed",
      unit: "ms",
      values: of((run) => waited(run) - run.reported)
    },
    {
      group,
      name: "step: -> PostSyncActivity begins",
      unit: "ms",
      values: of((run) => persisting(run) - waited(run))
    },
    {
      group,
      name: "step: -> Pod's phase is Succeeded",
      unit: "ms",
      values: of((run) => (run.ended ?? Number.NaN) - persisting(run))
    },
    {
      group,
      name: "step: -> Pod is gone",
      unit: "ms",
      values: of((run) => (run.gone ?? Number.NaN) - (run.ended ?? Number.NaN))
    },
    {
      group,
      name: "step: -> state in Postgres",
      unit: "ms",
      values: of((run) => (run.saved ?? Number.NaN) - (run.gone ?? Number.NaN))
    },
    {
      group,
      name: "step: -> workflow closed",
      unit: "ms",
      values: of((run) => run.closed - (run.saved ?? Number.NaN))
    }
  ]
}
