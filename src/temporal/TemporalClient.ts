/** The one connection to Temporal's frontend, made when it can be had and kept for the process's life. */
import { ActivityNotFoundError, Client, WorkflowNotFoundError } from "@temporalio/client"
import { ApplicationFailure } from "@temporalio/common"
import { NativeConnection } from "@temporalio/worker"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { WorkerConfig } from "../Config.ts"
import { bounded, capped } from "../Schedules.ts"
import {
  type Attempt,
  type AttemptIdentity,
  attemptsOf,
  type RunState,
  type Standing,
  standingOf,
  stateOf
} from "./RunDescription.ts"
import { TemporalRuntime } from "./TemporalRuntime.ts"
import { type TemporalUnavailable, textOf, unavailable } from "./TemporalUnavailable.ts"
import { connectionOptions } from "./Tls.ts"

/** 0.25 s doubling to 5 s, for as long as it takes. */
const untilThere = capped("250 millis", "5 seconds")

const CONNECT_LIMIT = "10 seconds"
const CALL_LIMIT = "5 seconds"
/** Of the look that readiness asks for. */
const ANSWER_LIMIT = "2 seconds"

const workerLost = (): ApplicationFailure =>
  ApplicationFailure.create({
    type: "WorkerLost",
    message: "The worker that waited for the Pod is gone; another one takes over.",
    nextRetryDelay: 50
  })

/** A run of a workflow. */
export interface RunId {
  readonly workflowId: string
  readonly runId: string
}

/** Most open runs that are listed. */
const MOST_LISTED = 10_000

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
    /** Whether that run still goes on; without a run id, the workflow's latest. One that is not known has the namespace's id asked anew. */
    readonly lookAt: (workflowId: string, runId: string) => Effect.Effect<RunState, TemporalUnavailable>
    /** Attempts of the run's activities that some worker has taken; none where there is no such run. */
    readonly attempts: (
      workflowId: string,
      runId: string
    ) => Effect.Effect<ReadonlyArray<Attempt>, TemporalUnavailable>
    /**
     * Runs of syncs and clear-destinations on this worker's queue that are open, as far as Temporal's visibility knows: a run
     * of the last second may be missing. None where it cannot be asked.
     */
    readonly openWriters: Effect.Effect<ReadonlyArray<RunId>>
    /** Fails such an attempt in its worker's stead, so that the activity is handed out again at once. */
    readonly failAttempt: (
      workflowId: string,
      runId: string,
      activityId: string
    ) => Effect.Effect<void, TemporalUnavailable>
    /** Whether that attempt is the one that Temporal waits for. */
    readonly standing: (attempt: AttemptIdentity) => Effect.Effect<Standing, TemporalUnavailable>
    /** The namespace's own id, which no other Temporal has; empty where Temporal does not tell it. Remembered until a run is not known. */
    readonly namespaceId: Effect.Effect<string>
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
        bounded(CONNECT_LIMIT, (problem) => Effect.fail(problem)),
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
          bounded(CALL_LIMIT, (problem) => Effect.fail<unknown>(problem))
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

      let knownId = ""
      const namespaceId = Effect.suspend(() =>
        knownId === ""
          ? ask((it) => it.workflowService.describeNamespace({ namespace: temporal.namespace })).pipe(
              Effect.map(({ namespaceInfo }) => (knownId = namespaceInfo?.id ?? "")),
              Effect.catch((cause) =>
                Effect.as(
                  Effect.logWarning(
                    `Temporal does not tell the id of namespace ${temporal.namespace}: ${textOf(cause)}. Pods of runs that it does not know are not removed.`
                  ),
                  ""
                )
              )
            )
          : Effect.succeed(knownId)
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
          Effect.map(describe(workflowId, runId), (run) => {
            // Behind the same address there may be another Temporal by now.
            if (run === undefined) knownId = ""
            return stateOf(run)
          }),
        attempts: (workflowId, runId) => Effect.map(describe(workflowId, runId), attemptsOf),
        openWriters: call(async (client) => {
          const query = `WorkflowType = "RunSyncWorkflow" AND ExecutionStatus = "Running" AND TaskQueue = "${temporal.taskQueue}"`
          const runs: Array<RunId> = []
          for await (const { workflowId, runId } of client.workflow.list({ query, pageSize: 1_000 })) {
            if (runs.length === MOST_LISTED) break
            runs.push({ workflowId, runId })
          }
          return runs
        }).pipe(
          Effect.catch((cause) =>
            Effect.as(Effect.logDebug(`Temporal does not list open runs: ${textOf(cause)}`), [])
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
        standing: (attempt) =>
          Effect.map(describe(attempt.workflowId, attempt.runId), (run) => standingOf(run, attempt)),
        namespaceId
      })
    })
  )
}
