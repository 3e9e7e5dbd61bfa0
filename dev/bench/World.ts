/** Everything around the measured worker: Postgres with OLake's tables, Temporal, a namespace of a real cluster. */
import { Client, Connection } from "@temporalio/client"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import { olakeTables, type TablesVersion } from "../postgres/OlakeTables.ts"
import { sqlLayer } from "../postgres/Shop.ts"
import { TemporalServer } from "../temporal/TemporalServer.ts"
import * as SqlClient from "effect/sql/SqlClient"
import { place, type Place, temporaryFolder } from "../cluster/Place.ts"
import { workerEnv } from "../world/WorkerEnv.ts"
import { type PodWatcher, watchPods } from "./PodTimes.ts"
import { type Env, startWorker } from "./Worker.ts"

export const TASK_QUEUE = "olake-bench"

export interface World extends Place {
  readonly client: Client
  readonly taskQueue: string
  /** A worker's, without a name and a health port of its own. */
  readonly env: Env
  /** The job's state as Postgres prints it. */
  readonly stateOf: (jobId: number) => Promise<string>
  readonly pods: PodWatcher
  /** A new job whose source behaves as the probe's scenario says. */
  readonly newJob: (config: Readonly<Record<string, unknown>>) => Promise<number>
  /** When the job's row was last written, in milliseconds since the epoch. */
  readonly savedAt: (jobId: number) => Promise<number>
  /** Starts the worker and waits until it is ready; stopped with the scope. */
  readonly startWorker: ReturnType<typeof startWorker>
}

export interface WorldOptions {
  /** The package whose dist/ is measured. */
  readonly root: string
  /** Where the worker's output goes; nowhere that lasts, by default. */
  readonly workerLog: string | undefined
  readonly tables?: TablesVersion
}

export const makeWorld = ({ root, workerLog, tables: version = "v1" }: WorldOptions) =>
  Effect.gen(function* () {
    const temporal = yield* TemporalServer
    const here = yield* place("olake-bench")
    const logFile = workerLog ?? join(yield* temporaryFolder("olake-bench"), "worker.log")
    const pods = yield* watchPods(here)
    const services = yield* Layer.build(sqlLayer())
    const tables = yield* olakeTables("dev", version).pipe(Effect.provide(services))
    const destination = yield* tables.insertDestination({ type: "parquet", version: "", config: "{}" })
    const connection = yield* Effect.acquireRelease(
      Effect.promise(() => Connection.connect({ address: temporal.address })),
      (it) => Effect.promise(() => it.close())
    )
    const env = {
      ...(yield* workerEnv(TASK_QUEUE, here.storage)),
      KUBECONFIG: here.kubeconfig,
      WORKER_NAMESPACE: here.namespace,
      POD_NAME: "bench-0",
      // Small, so that twenty fit beside whatever else this node runs.
      JOB_CPU_REQUEST: "1m",
      JOB_MEMORY_REQUEST: "8Mi"
    }

    const newJob = (config: Readonly<Record<string, unknown>>) =>
      Effect.gen(function* () {
        const row = { type: "probe", version: "v0.0.0-dev", config: JSON.stringify(config) }
        const source = yield* tables.insertSource(row)
        return yield* tables.insertJob({ source, destination, streams: "{}" })
      })
    const savedAt = (jobId: number) =>
      SqlClient.SqlClient.pipe(
        Effect.flatMap(
          (sql) =>
            sql<{ readonly at: string }>`
            SELECT (extract(epoch FROM updated_at) * 1000)::text AS at FROM "olake-dev-job" WHERE id = ${jobId}`
        ),
        Effect.map(([row]) => Number(row?.at ?? 0)),
        Effect.provide(services)
      )
    const world: World = {
      ...here,
      client: new Client({ connection }),
      taskQueue: TASK_QUEUE,
      env,
      stateOf: (jobId) => Effect.runPromise(tables.jobState(jobId)).then((state) => state ?? ""),
      pods,
      newJob: (config) => Effect.runPromise(newJob(config)),
      savedAt: (jobId) => Effect.runPromise(savedAt(jobId)),
      startWorker: startWorker(root, env, logFile)
    }
    return world
  })
