/**
 * Everything around a worker, real: Postgres with OLake's tables, a Temporal server, shared storage, the worker as a
 * process. Pods run on LocalPods or on a cluster; the same suites run in both.
 */
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import { randomBytes } from "node:crypto"
import { fileURLToPath } from "node:url"
import { hostAddress } from "../../dev/cluster/Settings.ts"
import { freePort } from "../../dev/FreePort.ts"
import { LocalPods } from "../../dev/LocalPods.ts"
import { olakeTables } from "../../dev/OlakeTables.ts"
import { Postgres } from "../../dev/Postgres.ts"
import { createShop, sqlLayer } from "../../dev/shop.ts"
import { type CliResult, TemporalServer } from "../../dev/TemporalServer.ts"
import { eventually, temporaryFolder } from "../dev/support.ts"
import { startWorker, untilReady, type WorkerProcess } from "./WorkerProcess.ts"

export const SECRET_KEY = "marker-of-the-secret-key"
export const TASK_QUEUE = "olake-test"
export const PVC = "olake-shared-storage"
const PROBE = fileURLToPath(new URL("../../dev/cluster/probe.sh", import.meta.url))

/** Names of the Pods (and Secrets) that are there. */
interface Platform {
  readonly env: Readonly<Record<string, string>>
  readonly pods: () => Promise<ReadonlyArray<string>>
  readonly secrets: () => Promise<ReadonlyArray<string>>
  /** Pod objects as text, now. */
  readonly dump: () => Promise<string>
  /** Where Pods find this host. */
  readonly hostForPods: string
}

type Tables = Effect.Success<ReturnType<typeof olakeTables>>

export class World extends Context.Service<
  World,
  {
    readonly storage: string
    readonly healthPort: number
    readonly worker: WorkerProcess
    readonly env: Readonly<Record<string, string>>
    readonly platform: Platform
    readonly postgres: Postgres["Service"]
    readonly tables: Tables
    readonly temporal: (args: ReadonlyArray<string>) => Effect.Effect<CliResult>
    readonly sql: <A>(
      run: Effect.Effect<A, SqlError.SqlError, SqlClient.SqlClient>
    ) => Effect.Effect<A, SqlError.SqlError>
  }
>()("test/World") {}

const make = (storage: string, platform: Platform) =>
  Effect.gen(function* () {
    const postgres = yield* Postgres
    const { address, temporal } = yield* TemporalServer
    const client = yield* Layer.build(sqlLayer())
    const tables = yield* olakeTables("dev", "v1").pipe(Effect.provide(client))
    yield* createShop
    const healthPort = yield* Effect.promise(() => freePort())
    const env = {
      TEMPORAL_HOST_PORT: address,
      TEMPORAL_NAMESPACE: "default",
      TEMPORAL_TASK_QUEUE: TASK_QUEUE,
      DB_HOST: postgres.host,
      DB_PORT: String(postgres.port),
      DB_NAME: postgres.database,
      DB_USER: postgres.user,
      DB_PASSWORD: postgres.password,
      RUN_MODE: "dev",
      SHARED_STORAGE_PATH: storage,
      OLAKE_STORAGE_PVC_NAME: PVC,
      OLAKE_SECRET_KEY: SECRET_KEY,
      HEALTH_PORT: String(healthPort),
      POD_NAME: "worker-0",
      JOB_CPU_REQUEST: "10m",
      JOB_MEMORY_REQUEST: "32Mi",
      JOB_MEMORY_LIMIT: "256Mi",
      ...platform.env
    }
    const worker = yield* startWorker(env)
    yield* untilReady(healthPort)
    return World.of({
      storage,
      healthPort,
      worker,
      env,
      platform,
      postgres,
      tables,
      temporal,
      sql: (run) => Effect.provide(run, client)
    })
  })

const names = (items: ReadonlyArray<{ readonly metadata?: { readonly name?: string } }>) =>
  items.map(({ metadata }) => metadata?.name ?? "")

const localPlatform = (pods: LocalPods["Service"]): Platform => {
  const list = (kind: string) =>
    fetch(`${pods.url}/api/v1/namespaces/default/${kind}`).then((response) => response.text())
  return {
    env: { KUBECONFIG: pods.kubeconfigPath },
    hostForPods: "127.0.0.1",
    pods: async () => names((JSON.parse(await list("pods")) as { items: [] }).items),
    secrets: async () => names((JSON.parse(await list("secrets")) as { items: [] }).items),
    dump: () => list("pods")
  }
}

/** Pods as local processes behind the same API. */
export const localWorld = Layer.effect(
  World,
  Effect.gen(function* () {
    const storage = yield* temporaryFolder
    const pods = yield* LocalPods.pipe(
      Effect.provide(
        yield* Layer.build(
          LocalPods.layer({
            claims: { [PVC]: storage },
            entrypoint: (image) =>
              /source-probe:v0/.test(image)
                ? ["sh", PROBE]
                : /source-postgres:v0/.test(image)
                  ? [process.execPath, CONNECTOR]
                  : undefined
          })
        )
      )
    )
    return yield* make(storage, localPlatform(pods))
  })
).pipe(Layer.provide([Postgres.layer(), TemporalServer.layer()]))

const CONNECTOR = fileURLToPath(new URL("../../dev/connector/main.ts", import.meta.url))

/** A namespace of its own, with a volume on this host, for as long as the scope lives. */
const namespaceOf = (kubeconfig: string, storage: string) =>
  Effect.gen(function* () {
    const config = new KubeConfig()
    config.loadFromFile(kubeconfig)
    const api = config.makeApiClient(CoreV1Api)
    const namespace = `olake-test-${randomBytes(4).toString("hex")}`
    yield* Effect.acquireRelease(
      Effect.promise(() => api.createNamespace({ body: { metadata: { name: namespace } } })),
      () =>
        Effect.promise(() => api.deleteNamespace({ name: namespace })).pipe(
          Effect.andThen(
            eventually("the namespace is gone", () =>
              api.readNamespace({ name: namespace }).then(
                () => undefined,
                () => true
              )
            )
          ),
          Effect.andThen(Effect.promise(() => api.deletePersistentVolume({ name: namespace }))),
          Effect.ignore
        )
    )
    const size = { storage: "1Gi" }
    yield* Effect.promise(() =>
      api.createPersistentVolume({
        body: {
          metadata: { name: namespace },
          spec: {
            capacity: size,
            accessModes: ["ReadWriteMany"],
            hostPath: { path: storage },
            storageClassName: "",
            claimRef: { namespace, name: PVC }
          }
        }
      })
    )
    yield* Effect.promise(() =>
      api.createNamespacedPersistentVolumeClaim({
        namespace,
        body: {
          metadata: { name: PVC },
          spec: {
            accessModes: ["ReadWriteMany"],
            storageClassName: "",
            volumeName: namespace,
            resources: { requests: size }
          }
        }
      })
    )
    yield* eventually("the namespace's ServiceAccount is there", () =>
      api.readNamespacedServiceAccount({ namespace, name: "default" }).then(
        () => true,
        () => undefined
      )
    )
    const pods = () => api.listNamespacedPod({ namespace })
    const platform: Platform = {
      env: { KUBECONFIG: kubeconfig, WORKER_NAMESPACE: namespace },
      hostForPods: hostAddress,
      pods: async () => names((await pods()).items),
      secrets: async () => names((await api.listNamespacedSecret({ namespace })).items),
      dump: async () => JSON.stringify(await pods())
    }
    return platform
  })

export const clusterWorld = (kubeconfig: string) =>
  Layer.effect(
    World,
    Effect.gen(function* () {
      const storage = yield* temporaryFolder
      return yield* make(storage, yield* namespaceOf(kubeconfig, storage))
    })
  ).pipe(Layer.provide([Postgres.layer({ listenAddresses: [hostAddress] }), TemporalServer.layer()]))
