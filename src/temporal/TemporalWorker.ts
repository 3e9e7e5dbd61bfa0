/**
 * Temporal's worker. One task queue serves all, as OLake's UI and the Go worker know one only; that hundreds of long
 * waits take no slot from a test of two seconds is Boundary's work.
 */
import {
  bundleWorkflowCode,
  DefaultLogger,
  type NativeConnection,
  Worker as SdkWorker,
  type WorkerOptions,
  type WorkflowBundleOption
} from "@temporalio/worker"
import sdk from "@temporalio/worker/package.json" with { type: "json" }
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { WorkerConfig } from "../Config.ts"
import { capped } from "../Schedules.ts"
import * as Namespace from "./Namespace.ts"
import { TemporalClient } from "./TemporalClient.ts"
import { textOf } from "./TemporalUnavailable.ts"

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
/** Cancels reach an activity with the answer to a heartbeat. */
const HEARTBEAT_THROTTLE = "5s"
/**
 * How long a workflow's next task waits for the worker that has the workflow in its memory. At the SDK's 10 s a cancel
 * reaches nobody for as long, where that worker is dead.
 */
const STICKY = "1s"
const DRAIN_LIMIT = "45 seconds"

/** Workflows asleep for a month are cheap to replay and dear to keep: about 600 fit into a GiB. */
const CACHED_WORKFLOWS = 200

/** The settings that reach the workflows. */
export interface BundleSettings extends Pick<WorkerConfig["Service"], "bareJobId"> {
  readonly temporal: Pick<WorkerConfig["Service"]["temporal"], "external" | "taskQueue">
}

/** Of the second contract's chart, unless others run Temporal for it. */
const CHART_QUEUE = "OLAKE_DOCKER_TASK_QUEUE"

/** Which contract the bare job ids on a queue belong to in histories of workers that did not record it. */
const contractOfQueue = (
  { external, taskQueue }: BundleSettings["temporal"],
  bareJobId: BundleSettings["bareJobId"]
): BundleSettings["bareJobId"] => {
  if (taskQueue === CHART_QUEUE) return "second"
  return external ? bareJobId : "first"
}

/**
 * Each workflow task in a history names the build id of the worker that took it. It tells replays by which setting a run
 * began; before the `+` it is as the SDK makes it, which reads its own version there.
 */
export const buildIdOf = (bareJobId: BundleSettings["bareJobId"]): string =>
  `@temporalio/worker@${sdk.version}+bare-${bareJobId}`

/**
 * The prebuilt bundle beside a build's output; made on the spot when running from the sources. Workflows see no
 * environment: what new runs must know of the installation is put before their code; histories decide for themselves.
 */
export const workflowBundle = Effect.fnUntraced(function* ({ bareJobId, temporal }: BundleSettings) {
  const unrecorded = contractOfQueue(temporal, bareJobId)
  const constants = `var OLAKE_BARE_JOB_ID="${bareJobId}",OLAKE_UNRECORDED_JOB_ID="${unrecorded}";`
  const code = yield* Effect.promise(workflowCode)
  return { code: `${constants}${code}` } satisfies WorkflowBundleOption
})

const workflowCode = async (): Promise<string> => {
  const built = ["./workflow-bundle.js", "../workflow-bundle.js", "../../workflow-bundle.js"]
    .map((file) => fileURLToPath(new URL(file, import.meta.url)))
    .find(existsSync)
  if (built !== undefined) return readFile(built, "utf8")
  const workflowsPath = fileURLToPath(new URL("../workflow/workflows.ts", import.meta.url))
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger("WARN") })
  return code
}

const untilThere = capped("500 millis", "5 seconds")

export const make = Effect.fnUntraced(function* (activities: ActivityFunctions) {
  const config = yield* WorkerConfig
  const { temporal, concurrency, kubernetes } = config
  const client = yield* TemporalClient
  const services = yield* Effect.context<TemporalClient | WorkerConfig>()

  const create = (connection: NativeConnection, options: Partial<WorkerOptions>) =>
    Effect.tryPromise({
      try: () =>
        SdkWorker.create({
          connection,
          namespace: temporal.namespace,
          taskQueue: temporal.taskQueue,
          identity: `${kubernetes.podName}@${temporal.taskQueue}`,
          shutdownGraceTime: GRACE,
          shutdownForceTime: FORCE,
          maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
          stickyQueueScheduleToStartTimeout: STICKY,
          ...options
        }),
      catch: (cause) =>
        new CannotCreate({ message: `cannot work for namespace ${temporal.namespace}: ${textOf(cause)}` })
    }).pipe(
      Effect.tapError((error) => Effect.logWarning(`Temporal: ${error.message}; waiting for it`)),
      Effect.retry(untilThere),
      Effect.orDie // retried without end: no error is left
    )

  const run = Effect.fnUntraced(function* ({
    onRunning,
    onDrain
  }: RunHooks): Effect.fn.Return<never, WorkerStopped> {
    const [connection, bundle] = yield* Effect.all([client.connection, workflowBundle(config)], {
      concurrency: 2
    })
    yield* Namespace.setUp.pipe(Effect.provideContext(services))
    const worker = yield* create(connection, {
      workflowBundle: bundle,
      buildId: buildIdOf(config.bareJobId),
      activities,
      // A slot for all that may wait; how many of them work at a time, Boundary says.
      maxConcurrentActivityTaskExecutions: concurrency.activities + concurrency.syncs,
      // The SDK wants at least two, one of them for its sticky queue.
      maxConcurrentWorkflowTaskExecutions: Math.max(2, concurrency.workflows),
      maxCachedWorkflows: CACHED_WORKFLOWS
    })
    const ended = worker.run()
    ended.catch(() => undefined) // awaited below, in every case
    yield* onRunning

    const drain = Effect.gen(function* () {
      yield* onDrain
      if (worker.getState() === "RUNNING") worker.shutdown()
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
