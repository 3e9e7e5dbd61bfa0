/** The one connection to Temporal's frontend, made when it can be had and kept for the process's life. */
import { Client, WorkflowNotFoundError } from "@temporalio/client"
import { NativeConnection } from "@temporalio/worker"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { WorkerConfig } from "../Config.ts"
import { TemporalRuntime } from "./TemporalRuntime.ts"

export class TemporalUnavailable extends Schema.TaggedError<TemporalUnavailable>()("TemporalUnavailable", {
  operation: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `Temporal: cannot ${this.operation}: ${this.detail}`
  }
  readonly isRetryable = true
}

/** 0.25 s doubling to 5 s, for as long as it takes. */
const untilThere = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("5 seconds")])

export class TemporalClient extends Context.Service<
  TemporalClient,
  {
    /** Waits until the frontend answers. */
    readonly connection: Effect.Effect<NativeConnection>
    /** Whether the frontend answers now, within two seconds. */
    readonly answers: Effect.Effect<boolean>
    /** Whether that run still goes on; an unknown one does not. */
    readonly isOpen: (workflowId: string, runId: string) => Effect.Effect<boolean, TemporalUnavailable>
  }
>()("olake-worker/temporal/TemporalClient") {
  static readonly layer = Layer.effect(
    TemporalClient,
    Effect.gen(function* () {
      yield* TemporalRuntime
      const { temporal } = yield* WorkerConfig
      const scope = yield* Effect.scope

      const unavailable = (operation: string) => (cause: unknown) =>
        new TemporalUnavailable({ operation, detail: cause instanceof Error ? cause.message : String(cause) })

      const connect = Effect.tryPromise({
        try: () => NativeConnection.connect({ address: temporal.address }),
        catch: unavailable(`connect to ${temporal.address}`)
      }).pipe(
        Effect.timeoutOrElse({
          duration: "10 seconds",
          orElse: () => Effect.fail(unavailable(`connect to ${temporal.address}`)("no answer in 10 seconds"))
        }),
        Effect.tapError((error) => Effect.logWarning(`${error.message}; waiting for it`)),
        Effect.retry(untilThere),
        Effect.orDie // retried without end: no error is left
      )
      const connection = yield* Effect.cached(
        Effect.acquireRelease(connect, (it) => Effect.ignoreCause(Effect.promise(() => it.close())), {
          interruptible: true
        }).pipe(Scope.provide(scope))
      )

      const bounded = <A>(call: (it: NativeConnection) => Promise<A>) =>
        connection.pipe(
          Effect.flatMap((it) =>
            Effect.tryPromise({
              try: (signal) => it.withAbortSignal(signal, () => call(it)),
              catch: (cause) => cause
            })
          ),
          Effect.timeoutOrElse({
            duration: "5 seconds",
            orElse: () => Effect.fail<unknown>("no answer in 5 seconds")
          })
        )

      return TemporalClient.of({
        connection,
        answers: bounded((it) =>
          it.workflowService.describeNamespace({ namespace: temporal.namespace })
        ).pipe(Effect.timeout("2 seconds"), Effect.exit, Effect.map(Exit.isSuccess)),
        isOpen: (workflowId, runId) =>
          bounded((it) =>
            new Client({ connection: it, namespace: temporal.namespace }).workflow
              .getHandle(workflowId, runId || undefined)
              .describe()
          ).pipe(
            Effect.map(({ status }) => status.name === "RUNNING" || status.name === "PAUSED"),
            Effect.catchIf(
              (cause) => cause instanceof WorkflowNotFoundError,
              () => Effect.succeed(false)
            ),
            Effect.mapError(unavailable(`look at workflow ${workflowId}`))
          )
      })
    })
  )
}
