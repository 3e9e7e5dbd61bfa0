/**
 * Turns an activity program into the async function Temporal calls: decodes the input, heartbeats while the
 * program runs, interrupts it on cancel and drain, and maps its exit. Besides main, the only place that runs effects.
 */
import { Context as ActivityContext } from "@temporalio/activity"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type * as Semaphore from "effect/Semaphore"
import { WorkerConfig } from "../Config.ts"
import { type Ending, heartbeatOf } from "../status/Run.ts"
import type { Door } from "../olake/contract/Doors.ts"
import type { RunEntry, RunRegistry } from "../status/RunRegistry.ts"
import type { SharedStorage } from "../storage/SharedStorage.ts"
import { runSpan } from "../Tracing.ts"
import { type ActivityError, type ActivityRun, InvalidRequest } from "./Activity.ts"
import { failureOf, WorkerStopping } from "./TemporalFailure.ts"
import * as Tracking from "./Tracking.ts"
import * as WorkerLog from "./WorkerLog.ts"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

/** Said once, when this process begins to stop: waits on Pods detach at once, short work goes on to its end. */
export class Drain extends Context.Service<
  Drain,
  { readonly signal: AbortSignal; readonly begin: Effect.Effect<void> }
>()("olake-worker/activity/Drain") {
  static readonly layer = Layer.sync(Drain, () => {
    const controller = new AbortController()
    return Drain.of({ signal: controller.signal, begin: Effect.sync(() => controller.abort()) })
  })
}

export interface BoundaryOptions<I> {
  /** Whether a worker's stop ends the program at once; it must then leave everything for the next attempt. */
  readonly detachesOnDrain: boolean
  /** Of which the program takes one; without, it begins at once. */
  readonly turns?: Semaphore.Semaphore
  /** What it is to its run, for who looks at the runs; nothing where it is none of a run's steps. */
  readonly role?: Tracking.Role<I>
}

const HEARTBEAT = "5 seconds"
const format = SchemaIssue.makeFormatterStandardSchemaV1()

const problemsOf = (error: Schema.SchemaError): ReadonlyArray<string> =>
  format(error.issue)
    .issues.slice(0, 20)
    .map(({ path, message }) => {
      const field = (path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".")
      return field === "" ? message : `${field}: ${message}`
    })

const opened = <I>(door: Door<I>, wire: unknown): Effect.Effect<I, InvalidRequest> =>
  Effect.mapError(door(wire), (error) => new InvalidRequest({ problems: problemsOf(error) }))

const runOf = (context: ActivityContext, taskQueue: string): ActivityRun => ({
  run: {
    temporalNamespace: context.info.namespace,
    // The workflow's, not this activity's: syncs have another one.
    taskQueue,
    workflowId: context.info.workflowExecution?.workflowId ?? "",
    runId: context.info.workflowExecution?.runId ?? ""
  },
  activityId: context.info.activityId,
  attempt: context.info.attempt,
  scheduledAt: context.info.scheduledTimestampMs
})

/** Tells Temporal that the attempt lives, and people how far it is. */
const beat = (context: ActivityContext, entry: RunEntry | undefined) =>
  (entry === undefined
    ? Effect.sync(() => context.heartbeat())
    : Effect.map(entry.current, (run) => context.heartbeat(heartbeatOf(run)))
  ).pipe(Effect.repeat(Schedule.spaced(HEARTBEAT)), Effect.andThen(Effect.never))

/** Waits for a turn without holding up a cancel, or a stop of this worker. */
const inTurn = <A, E, R>(
  turns: Semaphore.Semaphore,
  drain: AbortSignal,
  program: Effect.Effect<A, E, R>
): Effect.Effect<A, E | WorkerStopping, R> => {
  const stopping = Effect.callback<never, WorkerStopping>((resume) => {
    const stop = () => resume(Effect.fail(new WorkerStopping()))
    if (drain.aborted) stop()
    else drain.addEventListener("abort", stop, { once: true })
    return Effect.sync(() => drain.removeEventListener("abort", stop))
  })
  return Effect.uninterruptibleMask((restore) =>
    restore(Effect.raceFirst(turns.take(1), stopping)).pipe(
      Effect.andThen(Effect.ensuring(restore(program), turns.release(1)))
    )
  )
}

/** What the boundary itself needs. */
type Surroundings = Drain | RunRegistry | SharedStorage | WorkerConfig

export const make = <I, A, E extends ActivityError, R>(
  type: string,
  door: Door<I>,
  program: (request: I, run: ActivityRun) => Effect.Effect<A, E, R>,
  options: BoundaryOptions<I>
): Effect.Effect<(wire: unknown) => Promise<A>, never, R | Surroundings> =>
  Effect.gen(function* () {
    const services = yield* Effect.context<R | Surroundings>()
    const drain = (yield* Drain).signal
    const { taskQueue } = (yield* WorkerConfig).temporal
    return async (wire: unknown): Promise<A> => {
      const context = ActivityContext.current()
      const run = runOf(context, taskQueue)
      const signals = options.detachesOnDrain
        ? [context.cancellationSignal, drain]
        : [context.cancellationSignal]
      const { role, turns } = options
      /** @param request decoded, or why it could not be */
      const atWork = (request: Effect.Effect<I, InvalidRequest>, entry: RunEntry | undefined) => {
        const work = Effect.flatMap(request, (known) => program(known, run))
        const noted =
          entry === undefined ? work : Effect.andThen(entry.begins, Tracking.observing(entry)(work))
        return Effect.raceFirst(
          turns === undefined ? noted : inTurn(turns, drain, noted),
          beat(context, entry)
        )
      }
      const reported = Effect.onError((cause: Cause.Cause<ActivityError>) => report(type, cause))
      const activity = Effect.gen(function* () {
        const request = yield* Effect.exit(opened(door, wire))
        if (role === undefined) return yield* reported(atWork(request, undefined))
        const subject = Exit.isSuccess(request) ? role.subject(request.value) : undefined
        const begun = Tracking.begin(role, subject, run, turns === undefined)
        const directory = Tracking.logDirectoryOf(subject, run.run.workflowId)
        const tracked = Effect.acquireUseRelease(
          begun,
          (entry) => Effect.andThen(Tracking.pickedUp(role, subject, run), atWork(request, entry)),
          (entry, exit) => entry.ended(...endOf(context, drain, exit))
        )
        return yield* directory === undefined
          ? reported(tracked)
          : WorkerLog.keepingLog(directory)(reported(tracked))
      }).pipe(
        Effect.withSpan(type, {
          parent: runSpan(run.run),
          attributes: { "temporal.workflow_id": run.run.workflowId, "temporal.attempt": run.attempt }
        }),
        Effect.annotateLogs({
          workflowId: run.run.workflowId,
          runId: run.run.runId,
          activity: type,
          attempt: run.attempt
        })
      )
      const exit = await Effect.runPromiseExitWith(services)(activity, { signal: AbortSignal.any(signals) })
      if (Exit.isSuccess(exit)) return exit.value
      throw failureOf(context, drain, exit.cause)
    }
  })

/** How the attempt ended, for who looks at the runs. */
const endOf = (
  context: ActivityContext,
  drain: AbortSignal,
  exit: Exit.Exit<unknown, ActivityError>
): readonly [Ending, boolean] => {
  if (Exit.isSuccess(exit)) return [{ state: "succeeded" }, Tracking.isFinished(exit.value)]
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  const isCancelled = context.cancellationDetails?.cancelRequested === true
  return [Tracking.endingOf(failureOf(context, drain, exit.cause), isCancelled, error?.remedy), false]
}

const report = (type: string, cause: Cause.Cause<ActivityError>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.logInfo(`${type} was interrupted`)
  const error = Cause.findError(cause)
  if (Result.isFailure(error)) return Effect.logError(`${type} met a bug`, cause)
  if (error.success instanceof WorkerStopping) return Effect.logInfo(`${type} is left for another worker`)
  return WorkerLog.failed(type, error.success)
}
