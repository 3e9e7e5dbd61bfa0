/** Tells OLake's UI of syncs, as the Go worker does: once, and whatever comes of it. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { WorkerConfig } from "../Config.ts"
import { ENVIRONMENT } from "../olake/telemetry/Payload.ts"
import * as Post from "./Post.ts"

const LIMIT = Duration.seconds(5)

export class SyncTelemetry extends Context.Service<
  SyncTelemetry,
  {
    /**
     * Never fails; nothing is sent without OLAKE_CALLBACK_URL, or where TELEMETRY_DISABLED is set.
     * @param properties what the UI passes on; without any, it looks the job up itself
     */
    readonly send: (
      event: "started" | "completed" | "failed" | "cancelled",
      run: { readonly jobId: number; readonly workflowId: string },
      properties?: Readonly<Record<string, string | number>>
    ) => Effect.Effect<void>
  }
>()("olake-worker/notification/SyncTelemetry") {
  static readonly layer = Layer.effect(
    SyncTelemetry,
    Effect.gen(function* () {
      const { url, telemetryDisabled } = (yield* WorkerConfig).callback
      const post = yield* Post.make
      if (url === undefined || telemetryDisabled) return SyncTelemetry.of({ send: () => Effect.void })
      const target = `${url.replace(/\/+$/, "")}/sync-telemetry`
      return SyncTelemetry.of({
        send: (event, { jobId, workflowId }, properties) =>
          // The UI refuses both.
          jobId === 0 || workflowId === ""
            ? Effect.void
            : post(
                target,
                {
                  job_id: jobId,
                  workflow_id: workflowId,
                  environment: ENVIRONMENT,
                  event,
                  ...(properties === undefined ? {} : { properties })
                },
                LIMIT
              ).pipe(
                Effect.matchEffect({
                  onFailure: (problem) => Effect.logDebug(`telemetry "${event}" was not sent: ${problem}`),
                  onSuccess: ({ status }) =>
                    Effect.logDebug(`telemetry "${event}" was sent: status ${status}`)
                })
              )
      })
    })
  ).pipe(Layer.provide(Post.layer))
}
