/**
 * Two Temporal workers in one process: workflows with short activities on the task queue, and syncs on a queue
 * of their own, so that hundreds of long waits take no slot from a test of two seconds.
 */
import {
  bundleWorkflowCode,
  DefaultLogger,
  type NativeConnection,
  Worker as SdkWorker,
  type WorkerOptions,
  type WorkflowBundleOption
} from "@temporalio/worker"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { WorkerConfig } from "../Config.ts"
import { syncQueue } from "../workflow/Policy.ts"
import { TemporalClient } from "./TemporalClient.ts"

/** Temporal's worker ended though nobody asked it to. */
export class WorkerStopped extends Schema.TaggedError<WorkerStopped>()("WorkerStopped", {
  detail: Schema.String
}) {
  override get message(): string {
    return `Temporal's worker stopped: ${this.detail}`
  }
}

class CannotCreate extends Schema.TaggedError<CannotCreate>()("CannotCreate", { message: Schema.String }) {}

export interface RunHooks {
  readonly onRunning: Effect.Effect<void>
  /** Before Temporal's workers are told to stop. */
  readonly onDrain: Effect.Effect<void>
}

type ActivityFunctions = Record<string, (wire: unknown) => Promise<unknown>>

/** Short activities have this long to end after SIGTERM; then they are cancelled and tried again elsewhere. */
const GRACE = "20s"
const FORCE = "40s"
const DRAIN_LIMIT = "45 seconds"

/** Workflows asleep for a month are cheap to replay and dear to keep: about 600 fit into a GiB. */
const CACHED_WORKFLOWS = 200

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** The prebuilt bundle beside a build's output; made on the spot when running from the sources. */
const workflowBundle = Effect.suspend((): Effect.Effect<WorkflowBundleOption> => {
  const built = ["./workflow-bundle.js", "../workflow-bundle.js", "../../workflow-bundle.js"]
    .map((file) => fileURLToPath(new URL(file, import.meta.url)))
    .find(existsSync)
  if (built !== undefined) return Effect.succeed({ codePath: built })
  const workflowsPath = fileURLToPath(new URL("../workflow/workflows.ts", import.meta.url))
  return Effect.promise(() => bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger("WARN") }))
})

const untilThere = Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("5 seconds")])

export const make = Effect.fnUntraced(function* (activities: ActivityFunctions) {
  const { temporal, concurrency, kubernetes } = yield* WorkerConfig
  const client = yield* TemporalClient

  const create = (
    connection: NativeConnection,
    options: Partial<WorkerOptions> & { readonly taskQueue: string }
  ) =>
    Effect.tryPromise({
      try: () =>
        SdkWorker.create({
          connection,
          namespace: temporal.namespace,
          identity: `${kubernetes.podName}@${options.taskQueue}`,
          shutdownGraceTime: GRACE,
          shutdownForceTime: FORCE,
          // Cancels reach an activity with the answer to a heartbeat.
          maxHeartbeatThrottleInterval: "5s",
          ...options
        }),
      catch: (cause) =>
        new CannotCreate({ message: `cannot work for namespace ${temporal.namespace}: ${textOf(cause)}` })
    }).pipe(
      Effect.tapError((error) => Effect.logWarning(`Temporal: ${error.message}; waiting for it`)),
      Effect.retry(untilThere),
      Effect.orDie // retried without end: no error is left
    )

  const run = ({ onRunning, onDrain }: RunHooks): Effect.Effect<never, WorkerStopped> =>
    Effect.gen(function* () {
      const [connection, bundle] = yield* Effect.all([client.connection, workflowBundle], { concurrency: 2 })
      const workers = [
        yield* create(connection, {
          taskQueue: temporal.taskQueue,
          workflowBundle: bundle,
          activities,
          maxConcurrentActivityTaskExecutions: concurrency.activities,
          // The SDK wants at least two, one of them for its sticky queue.
          maxConcurrentWorkflowTaskExecutions: Math.max(2, concurrency.workflows),
          maxCachedWorkflows: CACHED_WORKFLOWS
        }),
        yield* create(connection, {
          taskQueue: syncQueue(temporal.taskQueue),
          activities,
          maxConcurrentActivityTaskExecutions: concurrency.syncs
        })
      ]
      const ended = Promise.all(workers.map((worker) => worker.run()))
      ended.catch(() => undefined) // awaited below, in every case
      yield* onRunning

      const drain = Effect.gen(function* () {
        yield* onDrain
        for (const worker of workers) if (worker.getState() === "RUNNING") worker.shutdown()
        yield* Effect.tryPromise({ try: () => ended, catch: textOf }).pipe(
          Effect.timeout(DRAIN_LIMIT),
          Effect.catch((problem) => Effect.logError(`the drain did not end cleanly: ${textOf(problem)}`))
        )
      })
      yield* Effect.tryPromise({
        try: () => ended,
        catch: (cause) => new WorkerStopped({ detail: textOf(cause) })
      }).pipe(Effect.onInterrupt(() => drain))
      return yield* new WorkerStopped({ detail: "it ended by itself" })
    })

  return { run }
})
