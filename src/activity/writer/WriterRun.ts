/** What syncs and clear-destinations share: who asks, and what becomes of the Pod's end. */
import * as Effect from "effect/Effect"
import { WorkerConfig } from "../../Config.ts"
import type { ClearRequest, EndRequest, SyncRequest } from "../../olake/contract/Request.ts"
import type { CommandLine } from "../../olake/Connector.ts"
import { ofWriter } from "../../olake/Workdir.ts"
import { type ActivityError, type ActivityRun, InvalidRequest } from "../Activity.ts"
import { explain } from "../Explain.ts"
import { claim } from "./Claim.ts"
import type { Start, Writer } from "./Preparation.ts"

/** A request works in the directory of its own run only. */
export const requireOwn = (
  { workflowId, idField }: Pick<EndRequest, "idField" | "workflowId">,
  { run }: ActivityRun
) =>
  workflowId === run.workflowId
    ? Effect.void
    : Effect.fail(
        new InvalidRequest({
          problems: [`${idField}: must be the id of the workflow that asks (${run.workflowId})`]
        })
      )

/** Runs the job's connector to its end, in the Pod that there is or in a new one. */
export const writerRun = Effect.fnUntraced(function* <E extends ActivityError, R>(
  request: SyncRequest | ClearRequest,
  activity: ActivityRun,
  commandOf: (start: Start) => Effect.Effect<CommandLine, E, R>
) {
  const { timeouts } = yield* WorkerConfig
  yield* requireOwn(request, activity)
  const { operation, jobId, connector, timeout = timeouts.sync } = request
  const { run, activityId, attempt } = activity
  const writer: Writer = { operation, jobId, run, activityId, attempt, directory: ofWriter(run.workflowId) }
  const exit = yield* claim(writer, (start) =>
    Effect.map(commandOf(start), (command) => ({
      ...command,
      connector: connector || start.row.sourceType,
      timeout
    }))
  )
  if (exit.failure !== undefined) return yield* yield* explain(exit, exit.failure, writer)
  return { pod: exit.view.name, ...(exit.view.node === undefined ? {} : { node: exit.view.node }) }
})

/** Says in each line of the log what it is about. */
export const annotated = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  { operation, jobId }: SyncRequest | ClearRequest | EndRequest
): Effect.Effect<A, E, R> => Effect.annotateLogs(effect, { operation, jobId })
