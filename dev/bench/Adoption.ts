/**
 * Many running syncs whose worker dies, or stops: how long until the next one waits for all of them. Their Pods are
 * statuses on LocalPods, so that their number is not the machine's; Temporal, Postgres and the workers are real.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { until } from "../cluster/Place.ts"
import type { KubeObject, Scenario } from "../local-pods/LocalPods.ts"
import { freePort } from "../world/FreePort.ts"
import { startReadyWorker, type WorkerProcess } from "../world/Worker.ts"
import { makeWorld, onLocalPods } from "../world/World.ts"
import type { Figure } from "./Figures.ts"

const TASK_QUEUE = "olake-adoption"
/** Other tables than those of the bench's own world. */
const RUN_MODE = "staging"
/** How long anything is waited for, on a machine that has other things to do. */
const BOUND_SECONDS = 180

export interface Adoption {
  readonly syncs: number
  /** Milliseconds from the next worker's start until it waits for all, after a SIGKILL and after a SIGTERM. */
  readonly afterKill: number
  readonly afterStop: number
  /** Milliseconds from SIGTERM to the end of the process, and its exit code. */
  readonly stopping: number
  readonly exitCode: number | null
  /** Pods made for these syncs, and deleted while they ran. */
  readonly created: number
  readonly deleted: number
  /** Runs by how they ended. */
  readonly ended: Readonly<Record<string, number>>
}

const startedAt = "2026-11-23T17:00:00Z"
const status = (phase: string, state: object) => ({
  phase,
  containerStatuses: [{ name: "connector", restartCount: 0, state }]
})
const terminated = { terminated: { exitCode: 0, reason: "Completed", startedAt, finishedAt: startedAt } }

/** Runs until it is let go. */
const running = (end: Effect.Effect<void>): Scenario => ({
  steps: [
    { status: status("Running", { running: { startedAt } }) },
    { after: end, status: status("Succeeded", terminated) }
  ]
})

/** Whose Pods a worker has found, by its log in JSON. */
const adoptedIn = (log: string): number =>
  new Set(
    log.split("\n").flatMap((line) => {
      if (!line.includes("Pod of this run found")) return []
      return [/"workflowId":"([^"]*)"/.exec(line)?.[1] ?? ""]
    })
  ).size

const end = (worker: WorkerProcess, signal: "SIGKILL" | "SIGTERM") =>
  Effect.andThen(worker.signal(signal), worker.exited)

/** @param root the package whose dist/ is measured */
export const adoption = (root: string, count: number) =>
  Effect.gen(function* () {
    const letGo = yield* Deferred.make<void>()
    const platform = yield* onLocalPods({ scenario: () => running(Deferred.await(letGo)) }, "olake-adoption")
    const world = yield* makeWorld(platform, {
      taskQueue: TASK_QUEUE,
      tables: "v2",
      runMode: RUN_MODE,
      env: { LOG_FORMAT: "json" }
    })
    const { client, tables } = world
    const { pods: alive, requests } = world.localPods

    const row = { type: "probe", version: "v0.0.0-dev", config: "{}" }
    const source = yield* tables.insertSource(row)
    const destination = yield* tables.insertDestination(row)
    const jobs = yield* Effect.forEach(Array.from({ length: count }), () =>
      tables.insertJob({ source, destination, streams: "{}" })
    )

    const worker = (name: string) =>
      Effect.gen(function* () {
        const own = { POD_NAME: name, HEALTH_PORT: String(yield* Effect.promise(freePort)) }
        const begin = performance.now()
        const started = yield* startReadyWorker({ ...world.env, ...own }, { root })
        const untilAllAdopted = Effect.promise(async () => {
          await until(
            `${name} waits for all`,
            async () => adoptedIn(started.output()) >= count,
            BOUND_SECONDS
          )
          return performance.now() - begin
        })
        return { ...started, untilAllAdopted }
      })

    const first = yield* worker("first")
    const handles = yield* Effect.promise(() =>
      Promise.all(
        jobs.map((jobId) =>
          client.workflow.start("RunSyncWorkflow", {
            args: [{ command: "sync", job_id: jobId, workflow_id: `sync-123-${jobId}`, project_id: "123" }],
            workflowId: `sync-123-${jobId}`,
            taskQueue: TASK_QUEUE
          })
        )
      )
    )
    yield* Effect.promise(() =>
      until("all syncs run", async () => alive().filter(isRunning).length >= count, BOUND_SECONDS)
    )
    yield* end(first, "SIGKILL")
    const second = yield* worker("second")
    const afterKill = yield* second.untilAllAdopted
    const began = performance.now()
    const exitCode = yield* end(second, "SIGTERM")
    const stopping = performance.now() - began
    const deleted = requests()["delete pods"] ?? 0
    const third = yield* worker("third")
    const afterStop = yield* third.untilAllAdopted
    yield* Deferred.succeed(letGo, undefined)
    const results = yield* Effect.promise(() =>
      Promise.all(
        handles.map((handle) =>
          handle.result().then(
            () => handle.describe().then((run) => run.status.name as string),
            (error: unknown) => String(error)
          )
        )
      )
    )
    const ended: Record<string, number> = {}
    for (const result of results) ended[result] = (ended[result] ?? 0) + 1
    const created = requests()["create pods"] ?? 0
    return {
      syncs: count,
      afterKill,
      afterStop,
      stopping,
      exitCode,
      created,
      deleted,
      ended
    } satisfies Adoption
  })

const isRunning = (pod: KubeObject): boolean => Object(pod["status"]).phase === "Running"

export const adoptionFigures = (measured: Adoption): ReadonlyArray<Figure> => {
  const group = `${measured.syncs} running syncs change their worker`
  const unit = "ms"
  return [
    {
      group,
      name: "SIGKILL: next worker's start -> waits for all",
      unit,
      values: [measured.afterKill],
      limit: 10_000
    },
    { group, name: "SIGTERM -> exit", unit, values: [measured.stopping], limit: 2_000 },
    { group, name: "SIGTERM: next worker's start -> waits for all", unit, values: [measured.afterStop] }
  ]
}
