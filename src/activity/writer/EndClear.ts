/**
 * `PostClearActivity`: ends a clear-destination as a sync is ended, and gives the job its schedule back. OLake's UI has
 * paused it and put the clear in the place of the sync.
 */
import * as Effect from "effect/Effect"
import { Jobs } from "../../database/Jobs.ts"
import { FIRST_PROJECT } from "../../database/Projects.ts"
import { withCatalog } from "../../olake/Catalog.ts"
import { SYNC_ARGS } from "../../olake/Connector.ts"
import type { EndRequest } from "../../olake/contract/Request.ts"
import { STATE_FILE } from "../../olake/Workdir.ts"
import * as SyncSchedule from "../../temporal/SyncSchedule.ts"
import type { ActivityRun } from "../Activity.ts"
import { end, type Persisted } from "./EndSync.ts"
import { annotated } from "./WriterRun.ts"

/** The request of a sync that stands in a job's schedule; which catalog a sync gets, the job's row decides at its start. */
const syncRequest = ({ connector, version, jobId, timeout, catalog }: EndRequest, projectId: string) => ({
  command: "sync",
  connector_type: connector,
  version,
  args: withCatalog(SYNC_ARGS, catalog),
  configs: null,
  workflow_id: SyncSchedule.workflowIdOf(projectId, jobId),
  job_id: jobId,
  project_id: projectId,
  timeout,
  output_file: STATE_FILE,
  temp_path: ""
})

/** After a failed or cancelled clear the schedule is left alone: no sync may write into a half-cleared destination. */
const leftAs = (id: string, schedule: SyncSchedule.ScheduleState): string => {
  if (schedule._tag === "Missing") return `The job has no schedule ${id}.`
  const action = schedule.command === "sync" ? "syncs" : schedule.command
  return schedule.paused
    ? `Schedule ${id} stays paused, with ${action} as its action, so that no sync writes into a half-cleared destination. Run clear-destination again, or restore the job's syncs in the UI.`
    : `Schedule ${id} is not paused, with ${action} as its action.`
}

/** Gives the job its syncs back, or says how the schedule is left. */
const endSchedule = Effect.fnUntraced(function* (request: EndRequest, isDone: boolean) {
  const job = yield* (yield* Jobs).summary(request.jobId)
  const projectId = request.projectId || job?.projectId || FIRST_PROJECT
  const schedule = { projectId, jobId: request.jobId }
  const id = SyncSchedule.idOf(projectId, request.jobId)
  if (!isDone) return leftAs(id, yield* SyncSchedule.stateOf(schedule))
  // The UI itself marks a job that somebody has paused; the clear leaves the mark alone.
  const isPausedByPeople = job?.active === false
  const after = yield* SyncSchedule.restore(schedule, syncRequest(request, projectId), !isPausedByPeople)
  yield* Effect.logInfo(
    after._tag === "Missing"
      ? `the job has no schedule ${id} to be restored`
      : `schedule ${id} starts ${after.command === "sync" ? "syncs" : after.command} and is ${after.paused ? "paused" : "not paused"}`
  )
  return ""
})

export const endClear = Effect.fn("activity.endClear")(function* (
  request: EndRequest,
  activity: ActivityRun
) {
  const { outcome } = request
  const isFailure = outcome === "failed" || outcome === "cancelled"
  const persisted = yield* end(request, activity).pipe(
    // Nothing will mend that state: the schedule is seen to all the same.
    Effect.tapError((error) =>
      error._tag === "InvalidState" && outcome !== "interrupted"
        ? Effect.flatMap(endSchedule(request, !isFailure), Effect.logInfo)
        : Effect.void
    )
  )
  if (outcome === "interrupted") return persisted
  const remark = yield* endSchedule(request, !isFailure || persisted.finished)
  return { ...persisted, remark } satisfies Persisted
}, annotated)
