/** The one connection to Temporal's frontend, made when it can be had and kept for the process's life. */
import { ActivityNotFoundError, Client, WorkflowNotFoundError } from "@temporalio/client"
import { ApplicationFailure } from "@temporalio/common"
import { optionalTsToMs } from "@temporalio/common/lib/time.js"
import { NativeConnection } from "@temporalio/worker"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { WorkerConfig } from "../Config.ts"
import { TemporalRuntime } from "./TemporalRuntime.ts"
import { type TemporalUnavailable, textOf, unavailable } from "./TemporalUnavailable.ts"
import { connectionOptions } from "./Tls.ts"

/** 0.25 s doubling to 5 s, for as long as it takes. */
const untilThere = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("5 seconds")])

const CONNECT_LIMIT = "10 seconds"
const CALL_LIMIT = "5 seconds"
/** Of the look that readiness asks for. */
const ANSWER_LIMIT = "2 seconds"

/** temporal.api.enums.v1.PendingActivityState */
const SCHEDULED = 1
const CANCEL_REQUESTED = 3

/** An attempt of an activity that a worker has taken. Times in milliseconds since the epoch; zero for never. */
export interface Attempt {
  readonly activityId: string
  readonly type: string
  /** Whether the activity may not be tried again. */
  readonly isLast: boolean
  /** The worker's, as it names itself. */
  readonly identity: string
  readonly startedAt: number
  readonly heardAt: number
}

/** `unknown` where Temporal has no such run: long over, or another Temporal's. */
export type RunState =
  | { readonly state: "open" | "unknown" }
  /** In milliseconds since the epoch. */
  | { readonly state: "closed"; readonly closedAt: number }

const workerLost = (): ApplicationFailure =>
  ApplicationFailure.create({
    type: "WorkerLost",
    message: "The worker that waited for the Pod is gone; another one takes over.",
    nextRetryDelay: 50
  })

const millisOf = (time: Parameters<typeof optionalTsToMs>[0]): number => optionalTsToMs(time) ?? 0

export class TemporalClient extends Context.Service<
  TemporalClient,
  {
    /** Waits until the frontend answers, for ever: without it there is nothing to do, and readiness says so. */
    readonly connection: Effect.Effect<NativeConnection>
    /** One attempt to connect, given up after ten seconds; closed again. */
    readonly connectOnce: Effect.Effect<void, TemporalUnavailable>
    /** Whether the frontend answers now, within two seconds. */
    readonly answers: Effect.Effect<boolean>
    /** One call over the connection, bounded by five seconds; its failure is the SDK's own. */
    readonly ask: <A>(call: (connection: NativeConnection) => Promise<A>) => Effect.Effect<A, unknown>
    /** The same with the client. */
    readonly call: <A>(run: (client: Client) => Promise<A>) => Effect.Effect<A, unknown>
    /** Whether that run still goes on; without a run id, the workflow's latest. */
    readonly lookAt: (workflowId: string, runId: string) => Effect.Effect<RunState, TemporalUnavailable>
    /** Attempts of the run's activities that some worker has taken; none where there is no such run. */
    readonly attempts: (
      workflowId: string,
      runId: string
    ) => Effect.Effect<ReadonlyArray<Attempt>, TemporalUnavailable>
    /** Fails such an attempt in its worker's stead, so that the activity is handed out again at once. */
    readonly failAttempt: (
      workflowId: string,
      runId: string,
      activityId: string
    ) => Effect.Effect<void, TemporalUnavailable>
    /** Whether one of the run's activities has been asked to end. */
    readonly isCancelled: (workflowId: string, runId: string) => Effect.Effect<boolean, TemporalUnavailable>
  }
>()("olake-worker/temporal/TemporalClient") {
  static readonly layer = Layer.effect(
    TemporalClient,
    Effect.gen(function* () {
      yield* TemporalRuntime
      const { temporal } = yield* WorkerConfig
      const scope = yield* Effect.scope

      const attempt = connectionOptions(temporal).pipe(
        Effect.mapError(({ message }) => message),
        Effect.flatMap((options) =>
          Effect.tryPromise({
            try: () => NativeConnection.connect({ address: temporal.address, ...options }),
            catch: textOf
          })
        ),
        Effect.timeoutOrElse({
          duration: CONNECT_LIMIT,
          orElse: () => Effect.fail(`no answer in ${CONNECT_LIMIT}`)
        }),
        Effect.mapError(unavailable(`connect to ${temporal.address}`))
      )
      const connect = attempt.pipe(
        Effect.tapError((error) => Effect.logWarning(`${error.message}; waiting for it`)),
        Effect.retry(untilThere),
        Effect.orDie // retried without end: no error is left
      )
      const close = (it: NativeConnection) => Effect.ignoreCause(Effect.promise(() => it.close()))
      const connection = yield* Effect.cached(
        Effect.acquireRelease(connect, close, { interruptible: true }).pipe(Scope.provide(scope))
      )

      const client = yield* Effect.cached(
        Effect.map(connection, (it) => new Client({ connection: it, namespace: temporal.namespace }))
      )

      const ask = <A>(call: (it: NativeConnection) => Promise<A>) =>
        connection.pipe(
          Effect.flatMap((it) =>
            Effect.tryPromise({
              try: (signal) => it.withAbortSignal(signal, () => call(it)),
              catch: (cause) => cause
            })
          ),
          Effect.timeoutOrElse({
            duration: CALL_LIMIT,
            orElse: () => Effect.fail<unknown>(`no answer in ${CALL_LIMIT}`)
          })
        )
      const call = <A>(run: (client: Client) => Promise<A>) =>
        Effect.flatMap(client, (known) => ask(() => run(known)))

      const describe = (workflowId: string, runId: string) =>
        call((client) => client.workflow.getHandle(workflowId, runId || undefined).describe()).pipe(
          Effect.catchIf(
            (cause) => cause instanceof WorkflowNotFoundError,
            () => Effect.succeed(undefined)
          ),
          Effect.mapError((cause) => unavailable(`look at workflow ${workflowId}`)(textOf(cause)))
        )

      return TemporalClient.of({
        connection,
        connectOnce: Effect.flatMap(attempt, close),
        ask,
        answers: ask((it) => it.workflowService.describeNamespace({ namespace: temporal.namespace })).pipe(
          Effect.timeout(ANSWER_LIMIT),
          Effect.exit,
          Effect.map(Exit.isSuccess)
        ),
        call,
        lookAt: (workflowId, runId) =>
          Effect.map(describe(workflowId, runId), (run): RunState => {
            if (run === undefined) return { state: "unknown" }
            const isOpen = run.status.name === "RUNNING" || run.status.name === "PAUSED"
            return isOpen ? { state: "open" } : { state: "closed", closedAt: run.closeTime?.getTime() ?? 0 }
          }),
        attempts: (workflowId, runId) =>
          Effect.map(describe(workflowId, runId), (run) =>
            (run?.raw.pendingActivities ?? []).flatMap((activity) =>
              Number(activity.state) === SCHEDULED
                ? []
                : [
                    {
                      activityId: activity.activityId ?? "",
                      type: activity.activityType?.name ?? "",
                      isLast:
                        (activity.maximumAttempts ?? 0) > 0 &&
                        (activity.attempt ?? 1) >= (activity.maximumAttempts ?? 0),
                      identity: activity.lastWorkerIdentity ?? "",
                      startedAt: millisOf(activity.lastStartedTime),
                      heardAt: millisOf(activity.lastHeartbeatTime)
                    }
                  ]
            )
          ),
        failAttempt: (workflowId, runId, activityId) =>
          call((client) =>
            client.activity.fail({ workflowId, activityId, ...(runId === "" ? {} : { runId }) }, workerLost())
          ).pipe(
            // Somebody was faster.
            Effect.catchIf(
              (cause) => cause instanceof ActivityNotFoundError,
              () => Effect.void
            ),
            Effect.mapError((cause) => unavailable(`fail ${activityId} of ${workflowId}`)(textOf(cause)))
          ),
        isCancelled: (workflowId, runId) =>
          Effect.map(describe(workflowId, runId), (run) =>
            (run?.raw.pendingActivities ?? []).some(({ state }) => Number(state) === CANCEL_REQUESTED)
          )
      })
    })
  )
}
