/** `SendWebhookNotificationActivity`: tells a project's webhook of a failed run, in the connector's own words. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Jobs } from "../database/Jobs.ts"
import { Projects } from "../database/Projects.ts"
import { Webhook } from "../notification/Webhook.ts"
import { errorLines } from "../olake/ConnectorOutput.ts"
import type { AlertParams } from "../olake/contract/Current.ts"
import { ofWriter } from "../olake/Workdir.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"
import type { ActivityRun } from "./Activity.ts"

const MOST_LINES = 5

/** The failure, and the errors in the connector's log that it does not tell of. */
const errorOf = Effect.fnUntraced(function* (failure: string, workflowId: string) {
  const storage = yield* SharedStorage
  const log = yield* storage
    .connectorLog(ofWriter(workflowId))
    .pipe(Effect.orElseSucceed(() => Option.none<string>()))
  const lines = errorLines(
    Option.getOrElse(log, () => ""),
    MOST_LINES
  )
  return [failure, ...lines.filter((line) => !failure.includes(line))].join("\n")
})

export const alert = Effect.fn("activity.alert")(
  function* (params: AlertParams, { run, scheduledAt }: ActivityRun) {
    const projects = yield* Projects
    const webhook = yield* Webhook
    const job = yield* (yield* Jobs).summary(params.JobID)
    const url = yield* projects.webhookUrl(params.ProjectID || job?.projectId || "")
    if (Option.isNone(url)) return yield* Effect.logInfo("the project has no webhook for alerts")
    const time = Date.parse(params.LastRunTime)
    yield* webhook.send(url.value, {
      jobId: params.JobID,
      jobName: job?.name ?? "",
      error: yield* errorOf(params.ErrorMessage, run.workflowId),
      lastRunTime: Number.isNaN(time) ? scheduledAt : time
    })
    yield* Effect.logInfo("alert sent")
  },
  (effect, { JobID }) => Effect.annotateLogs(effect, { operation: "alert", jobId: JobID })
)
