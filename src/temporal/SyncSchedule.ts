/** A job's schedule, which OLake's UI makes, and turns into one of a clear-destination for as long as that takes. */
import { ScheduleNotFoundError, type ScheduleUpdateOptions } from "@temporalio/client"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { WorkerConfig } from "../Config.ts"
import { TemporalClient } from "./TemporalClient.ts"
import { textOf, unavailable } from "./TemporalUnavailable.ts"

/** As OLake's UI names what the schedule starts. */
export const workflowIdOf = (projectId: string, jobId: number): string => `sync-${projectId}-${jobId}`

/** As OLake's UI names it. */
export const idOf = (projectId: string, jobId: number): string => `schedule-${workflowIdOf(projectId, jobId)}`

const NOTE = "Restored to sync after clear-destination"

export interface SyncSchedule {
  readonly projectId: string
  readonly jobId: number
}

/** What a schedule says of itself: gone, or what it would start and whether it does. */
export type ScheduleState =
  | { readonly _tag: "Missing" }
  | { readonly _tag: "Present"; readonly command: string; readonly paused: boolean }

interface Action {
  readonly type: string
  readonly args?: ReadonlyArray<unknown>
}

/** A bare job id is a sync. */
const commandOf = ({ args }: Action): string => {
  const request = args?.[0]
  return Predicate.hasProperty(request, "command") ? String(request.command) : "sync"
}

const failing = (id: string, operation: string) => (cause: unknown) =>
  unavailable(`${operation} schedule ${id}`)(textOf(cause))

const missing = (cause: unknown): boolean => cause instanceof ScheduleNotFoundError

export const stateOf = Effect.fnUntraced(function* ({ projectId, jobId }: SyncSchedule) {
  const temporal = yield* TemporalClient
  const id = idOf(projectId, jobId)
  return yield* temporal
    .call((client) => client.schedule.getHandle(id).describe())
    .pipe(
      Effect.map(({ action, state }): ScheduleState => ({
        _tag: "Present",
        command: commandOf(action),
        paused: state.paused
      })),
      Effect.catchIf(missing, () => Effect.succeed<ScheduleState>({ _tag: "Missing" })),
      Effect.mapError(failing(id, "look at"))
    )
})

/** How many runs the schedule has started so far. */
export const startedRuns = Effect.fnUntraced(function* ({ projectId, jobId }: SyncSchedule) {
  const temporal = yield* TemporalClient
  const id = idOf(projectId, jobId)
  return yield* temporal
    .call((client) => client.schedule.getHandle(id).describe())
    .pipe(
      Effect.map(({ info }) => info.numActionsTaken),
      Effect.mapError(failing(id, "look at"))
    )
})

/**
 * Makes it start syncs again, with `request`. One that starts syncs already is left as it is: somebody was faster.
 * @param unpause whether it may run again; false where somebody has paused the job
 */
export const restore = Effect.fnUntraced(function* (
  schedule: SyncSchedule,
  request: unknown,
  unpause: boolean
) {
  const temporal = yield* TemporalClient
  const { taskQueue } = (yield* WorkerConfig).temporal
  const { projectId, jobId } = schedule
  const id = idOf(projectId, jobId)
  const before = yield* stateOf(schedule)
  if (before._tag === "Missing" || before.command !== "clear-destination") return before
  yield* temporal
    .call((client) =>
      client.schedule.getHandle(id).update(({ spec, policies, state }): ScheduleUpdateOptions => ({
        spec,
        policies,
        state: {
          ...state,
          paused: unpause ? false : state.paused,
          note: unpause ? NOTE : (state.note ?? "")
        },
        action: {
          type: "startWorkflow",
          workflowType: "RunSyncWorkflow",
          workflowId: workflowIdOf(projectId, jobId),
          taskQueue,
          args: [request]
        }
      }))
    )
    .pipe(Effect.mapError(failing(id, "restore")))
  // Temporal takes the last writer's word, and the UI writes too.
  return yield* stateOf(schedule)
})
