/** Calls of activities that a worker written in Go could have made, so that either can go on with the other's runs. */
import { type ActivityOptions, scheduleActivity, workflowInfo } from "@temporalio/workflow"
import type { Activities } from "../activity/Activities.ts"

type Result<K extends keyof Activities> = Awaited<ReturnType<Activities[K]>>

/**
 * Temporal's Go SDK names an activity after the event that schedules it, and a replay compares these names.
 * @param nth how many commands go before it in the same workflow task; or a name, where the Go worker has no such call
 */
export const call = <K extends keyof Activities>(
  type: K,
  argument: unknown,
  options: ActivityOptions,
  nth: number | string = 0
): Promise<Result<K>> =>
  scheduleActivity<Result<K>>(type, [argument], {
    ...options,
    // The next event closes this task; the first command's follows it.
    activityId: typeof nth === "string" ? nth : String(workflowInfo().historyLength + 2 + nth)
  })
