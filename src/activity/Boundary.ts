/**
 * Turns an activity program into the async function Temporal calls: decodes the input, heartbeats while the
 * program runs, interrupts it on cancel and drain, and maps its exit. Besides main, the only place that runs effects.
 */
import { Context as ActivityContext } from "@temporalio/activity"
import { ApplicationFailure, ApplicationFailureCategory } from "@temporalio/common"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { identity } from "effect/Function"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type * as Semaphore from "effect/Semaphore"
import { WorkerConfig } from "../Config.ts"
import { type Ending, heartbeatOf } from "../status/Run.ts"
import type { RunEntry, RunRegistry } from "../status/RunRegistry.ts"
import type { SharedStorage } from "../storage/SharedStorage.ts"
import { runSpan } from "../Tracing.ts"
import { type ActivityError, type ActivityRun, InvalidRequest } from "./Activity.ts"
import type { Role } from "./Tracking.ts"
import * as Tracking from "./Tracking.ts"
import { keepingLog } from "./WorkerLog.ts"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

/** This worker stops before the activity had its turn. */
class WorkerStopping extends Schema.TaggedError<WorkerStopping>()("WorkerStopping", {}) {
  readonly isRetryable = true
}

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

export interface BoundaryOptions {
  /** Whether a worker's stop ends the program at once; it must then leave everything for the next attempt. */
  readonly detachesOnDrain: boolean
  /** Of which the program takes one; without, it begins at once. */
  readonly turns?: Semaphore.Semaphore
  /** The directory in which what the program logs is kept too, by what came and the workflow's id. */
  readonly logDirectory?: (wire: unknown, workflowId: string) => string | undefined
  /** What it is to its run, for who looks at the runs; nothing where it is none of a run's steps. */
  readonly role?: Role
}

const HEARTBEAT = "5 seconds"
/** Before another attempt: after a bug, and where this worker stops. */
const AFTER_DEFECT = "60s"
const AFTER_DETACHING = "1s"
/** Temporal keeps 4 KiB of a failure that is retried. */
const LONGEST_MESSAGE = 1500

const format = SchemaIssue.makeFormatterStandardSchemaV1()

const problemsOf = (error: Schema.SchemaError): ReadonlyArray<string> =>
  format(error.issue)
    .issues.slice(0, 20)
    .map(({ path, message }) => {
      const field = (path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".")
      return field === "" ? message : `${field}: ${message}`
    })

const decode = <I, RD>(schema: Schema.Codec<I, unknown, RD>, wire: unknown) =>
  Schema.decodeUnknownEffect(schema, { errors: "all", onExcessProperty: "ignore" })(wire).pipe(
    Effect.mapError((error) => new InvalidRequest({ problems: problemsOf(error) }))
  )

const shorten = (text: string): string =>
  text.length <= LONGEST_MESSAGE ? text : `${text.slice(0, LONGEST_MESSAGE)}…`

/** Histories are read by users: our stack says nothing to them. */
const failure = (options: Parameters<typeof ApplicationFailure.create>[0]): ApplicationFailure =>
  Object.assign(ApplicationFailure.create(options), { stack: "" })

const toFailure = (error: ActivityError): ApplicationFailure =>
  failure({
    type: error.failureType ?? error._tag,
    message: shorten(error.message),
    nonRetryable: !error.isRetryable,
    ...(error.retryDelay === undefined ? {} : { nextRetryDelay: Duration.toMillis(error.retryDelay) })
  })

/** A bug of ours. Worth another try, in case it was the moment's; the log has the stack. */
const defectFailure = (cause: Cause.Cause<unknown>): ApplicationFailure => {
  const text = String(Cause.squash(cause))
  return failure({
    type: "Defect",
    message: shorten(`Internal error: ${text}`),
    nextRetryDelay: AFTER_DEFECT
  })
}

const detached = (): ApplicationFailure =>
  failure({
    type: "WorkerShutdown",
    message: "This worker is stopping; the Pod runs on and another attempt takes it over.",
    nextRetryDelay: AFTER_DETACHING,
    category: ApplicationFailureCategory.BENIGN
  })

const runOf = (context: ActivityContext, taskQueue: string): ActivityRun => ({
  run: {
    temporalNamespace: context.info.namespace,
    // The workflow's, not this activity's: syncs have another one.
    taskQueue,
    workflowId: context.info.workflowExecution?.workflowId ?? "",
    runId: context.info.workflowExecution?.runId ?? ""
  },
  attempt: context.info.attempt,
  scheduledAt: context.info.scheduledTimestampMs
})

/** Tells Temporal that the attempt lives, and people how far it is. */
const beat = (context: ActivityContext, entry: RunEntry | undefined) =>
  (entry === undefined
    ? Effect.sync(() => context.heartbeat())
    : Effect.map(entry.current, (run) => context.heartbeat(heartbeatOf(run)))
  ).pipe(Effect.repeat(Schedule.spaced(HEARTBEAT)), Effect.andThen(Effect.never))

/** What Temporal is told when the program has ended without a value. */
const failureOf = (
  context: ActivityContext,
  drain: AbortSignal,
  cause: Cause.Cause<ActivityError>
): unknown => {
  const { cancellationSignal, cancellationDetails } = context
  // A cancelled activity must say so, whatever else went wrong meanwhile: else the run ends Failed, not Canceled.
  if (cancellationDetails?.cancelRequested === true) return cancellationSignal.reason
  const error = Cause.findErrorOption(cause)
  if (Option.isSome(error)) {
    return error.value instanceof WorkerStopping ? detached() : toFailure(error.value)
  }
  if (Cause.hasInterruptsOnly(cause)) {
    if (drain.aborted || cancellationDetails?.workerShutdown === true) return detached()
    if (cancellationSignal.aborted) return cancellationSignal.reason
  }
  return defectFailure(cause)
}

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

/** The request's schema, where several requests share an activity: chosen by what came. */
export type RequestSchema<I, RD> =
  | Schema.Codec<I, unknown, RD>
  | ((wire: unknown) => Schema.Codec<I, unknown, RD>)

export const make = <I, RD, A, E extends ActivityError, R>(
  type: string,
  request: RequestSchema<I, RD>,
  program: (request: I, run: ActivityRun) => Effect.Effect<A, E, R>,
  options: BoundaryOptions
): Effect.Effect<(wire: unknown) => Promise<A>, never, R | RD | Surroundings> =>
  Effect.gen(function* () {
    const services = yield* Effect.context<R | RD | Surroundings>()
    const drain = (yield* Drain).signal
    const { taskQueue } = (yield* WorkerConfig).temporal
    return async (wire: unknown): Promise<A> => {
      const context = ActivityContext.current()
      const run = runOf(context, taskQueue)
      const signals = options.detachesOnDrain
        ? [context.cancellationSignal, drain]
        : [context.cancellationSignal]
      const schema = Schema.isSchema(request) ? request : request(wire)
      const decoded = decode(schema, wire).pipe(Effect.flatMap((known) => program(known, run)))
      const { role, turns } = options
      const logDirectory = options.logDirectory?.(wire, run.run.workflowId)
      const atWork = (entry: RunEntry | undefined) => {
        const noted =
          entry === undefined ? decoded : Effect.andThen(entry.begins, Tracking.observing(entry)(decoded))
        return Effect.raceFirst(
          turns === undefined ? noted : inTurn(turns, drain, noted),
          beat(context, entry)
        )
      }
      const activity = (
        role === undefined
          ? atWork(undefined)
          : Effect.acquireUseRelease(
              Tracking.begin(role, wire, run, turns === undefined),
              atWork,
              (entry, exit) => entry.ended(...endOf(context, drain, exit))
            )
      ).pipe(
        Effect.onError((cause) => report(type, cause)),
        logDirectory === undefined ? identity : keepingLog(logDirectory),
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
  return Effect.logWarning(`${type} failed: ${error.success.message}`)
}
