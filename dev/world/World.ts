/**
 * What surrounds a worker, real: Postgres with OLake's tables, Temporal, shared storage, and Pods as processes of this
 * machine or in a namespace of a cluster.
 */
import { Client, Connection } from "@temporalio/client"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { place, type Place, temporaryFolder } from "../cluster/Place.ts"
import { hostAddress } from "../cluster/Settings.ts"
import { LocalPods, type LocalPodsOptions } from "../local-pods/LocalPods.ts"
import { olakeTables, type TablesVersion } from "../postgres/OlakeTables.ts"
import { Postgres } from "../postgres/Postgres.ts"
import { sqlLayer } from "../postgres/Shop.ts"
import { TemporalServer } from "../temporal/TemporalServer.ts"
import { CLAIM, type Env, workerEnv } from "./WorkerEnv.ts"

/** Where the Pods run. */
export interface Platform {
  /** The shared volume's folder on this host. */
  readonly storage: string
  /** What a worker must be told of it. */
  readonly env: Env
  /** Where a Pod finds this host. */
  readonly hostForPods: string
}

export interface LocalPlatform extends Platform {
  readonly localPods: LocalPods["Service"]
}

export interface LocalOptions extends Omit<LocalPodsOptions, "claims"> {
  /** Whether the storage stays when the scope ends. */
  readonly keep?: boolean
}

/** Pods as processes of this machine. */
export const onLocalPods = ({ keep = false, ...options }: LocalOptions = {}, prefix = "olake-world") =>
  Effect.gen(function* () {
    const lasting = Effect.promise(() => mkdtemp(join(tmpdir(), `${prefix}-`)))
    const storage = yield* keep ? lasting : temporaryFolder(prefix)
    const context = yield* Layer.build(LocalPods.layer({ ...options, claims: { [CLAIM]: storage } }))
    const localPods = yield* Effect.provide(LocalPods, context)
    const platform: LocalPlatform = {
      storage,
      env: { KUBECONFIG: localPods.kubeconfigPath },
      hostForPods: localServerAddress,
      localPods
    }
    return platform
  })

const localServerAddress = "127.0.0.1"

export interface ClusterPlatform extends Platform, Place {}

/** Pods in a namespace of its own; of the current kubeconfig's cluster, where no file is named. */
export const onCluster = (prefix: string, kubeconfig?: string) =>
  Effect.map(place(prefix, kubeconfig), (own): ClusterPlatform => ({
    ...own,
    env: { KUBECONFIG: own.kubeconfig, WORKER_NAMESPACE: own.namespace },
    hostForPods: hostAddress
  }))

/** The servers of a world whose Pods run on this machine, and of one in a cluster. */
export const localServers = Layer.merge(Postgres.layer(), TemporalServer.layer())
export const clusterServers = Layer.merge(
  Postgres.layer({ listenAddresses: [hostAddress] }),
  TemporalServer.layer()
)

export interface WorldOptions {
  readonly taskQueue: string
  readonly tables?: TablesVersion
  /** Whose tables they are; worlds of several may share a database. */
  readonly runMode?: string
  /** Settings of the workers, besides what the parts ask for. */
  readonly env?: Env
}

/** What is the same wherever the Pods run. */
export interface Surroundings {
  readonly taskQueue: string
  /** A worker's settings; its name and, beside another worker, its health port are to be added. */
  readonly env: Env & { readonly HEALTH_PORT: string }
  readonly postgres: Postgres["Service"]
  readonly temporal: TemporalServer["Service"]
  readonly tables: Effect.Success<ReturnType<typeof olakeTables>>
  readonly sql: SqlClient.SqlClient
  readonly client: Client
  /** A new job whose source behaves as the probe's scenario says. */
  readonly newJob: (config: Readonly<Record<string, unknown>>) => Promise<number>
  /** The job's state as Postgres prints it. */
  readonly stateOf: (jobId: number) => Promise<string>
}

export type World<P extends Platform = Platform> = P & Surroundings
export type ClusterWorld = World<ClusterPlatform>

export const makeWorld = <P extends Platform>(
  platform: P,
  { taskQueue, tables: version = "v1", runMode = "dev", env = {} }: WorldOptions
) =>
  Effect.gen(function* () {
    const postgres = yield* Postgres
    const temporal = yield* TemporalServer
    const services = yield* Layer.build(sqlLayer())
    const sql = yield* Effect.provide(SqlClient.SqlClient, services)
    const tables = yield* olakeTables(runMode, version).pipe(Effect.provide(services))
    const required = yield* workerEnv(taskQueue, platform.storage)
    const connection = yield* Effect.acquireRelease(
      Effect.sync(() => Connection.lazy({ address: temporal.address })),
      (it) => Effect.promise(() => it.close())
    )
    const newJob = (config: Readonly<Record<string, unknown>>) =>
      Effect.gen(function* () {
        const row = { type: "probe", version: "v0.0.0-dev", config: JSON.stringify(config) }
        const source = yield* tables.insertSource(row)
        const destination = yield* tables.insertDestination({ type: "parquet", version: "", config: "{}" })
        return yield* tables.insertJob({ source, destination, streams: "{}" })
      })
    const world: World<P> = {
      ...platform,
      taskQueue,
      env: { ...required, RUN_MODE: runMode, ...platform.env, ...env },
      postgres,
      temporal,
      tables,
      sql,
      client: new Client({ connection }),
      newJob: (config) => Effect.runPromise(newJob(config)),
      stateOf: (jobId) => Effect.runPromise(tables.jobState(jobId)).then((state) => state ?? "")
    }
    return world
  })

/** A namespace of the current cluster, and connectors so small that many fit beside whatever else its node runs. */
export const crowdedWorld = (prefix: string, tables: TablesVersion = "v2") =>
  Effect.flatMap(onCluster(prefix), (platform) =>
    makeWorld(platform, {
      taskQueue: prefix,
      tables,
      env: { POD_NAME: `${prefix}-0`, JOB_CPU_REQUEST: "1m", JOB_MEMORY_REQUEST: "8Mi" }
    })
  )
