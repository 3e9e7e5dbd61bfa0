/**
 * Everything around a worker, real: Postgres with OLake's tables, a Temporal server, shared storage, the worker as a
 * process. Pods run on LocalPods or on a cluster; the same suites run in both.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fileURLToPath } from "node:url"
import { hostAddress } from "../../dev/cluster/Settings.ts"
import { place } from "../../dev/cluster/Place.ts"
import { LocalPods } from "../../dev/local-pods/LocalPods.ts"
import { olakeTables } from "../../dev/postgres/OlakeTables.ts"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { createShop, sqlLayer } from "../../dev/postgres/Shop.ts"
import { type CliResult, TemporalServer } from "../../dev/temporal/TemporalServer.ts"
import { CLAIM, type Env, workerEnv } from "../../dev/world/WorkerEnv.ts"
import { temporaryFolder } from "./Conditions.ts"
import { type Heard, listener } from "./Listener.ts"
import { startWorker, untilReady, type WorkerProcess } from "./WorkerProcess.ts"

export const SECRET_KEY = "marker-of-the-secret-key"
export const TASK_QUEUE = "olake-test"
const PROBE = fileURLToPath(new URL("../../dev/cluster/images/probe.sh", import.meta.url))

/** Names of the Pods (and Secrets) that are there. */
interface Platform {
  readonly env: Readonly<Record<string, string>>
  readonly create: (pod: unknown) => Promise<void>
  /** Deletes a Pod, as a user with kubectl does. */
  readonly remove: (pod: string) => Promise<void>
  /** Evicts a Pod, as `kubectl drain` does; a real cluster only. */
  readonly evict: (pod: string) => Promise<void>
  readonly pods: () => Promise<ReadonlyArray<string>>
  /** The Pods and Secrets themselves, as the API has them. */
  readonly objects: () => Promise<string>
  readonly secrets: () => Promise<ReadonlyArray<string>>
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
    readonly taskQueue: string
    /** What OLake's UI and webhooks were told so far. */
    readonly heard: ReadonlyArray<Heard>
    readonly heardAt: string
  }
>()("test/World") {}

/** `chart`: the environment of olake-helm's chart, which leaves much to the worker's defaults. */
export type Installation = "plain" | "chart"

const plain = (env: Readonly<Record<string, string>>) => env

const chart = (env: Readonly<Record<string, string>>, callbackUrl: string) => {
  const { TEMPORAL_HOST_PORT, TEMPORAL_NAMESPACE: _namespace, TEMPORAL_TASK_QUEUE: _queue, ...rest } = env
  return {
    ...rest,
    TEMPORAL_ADDRESS: TEMPORAL_HOST_PORT ?? "",
    OLAKE_CALLBACK_URL: `${callbackUrl}/internal/worker/callback`,
    KUBERNETES_SERVICE_HOST: "10.0.0.1",
    LOG_FORMAT: "json"
  }
}

const make = (storage: string, platform: Platform, installation: Installation) =>
  Effect.gen(function* () {
    const { heard, url: heardAt } = yield* listener
    const postgres = yield* Postgres
    const { temporal } = yield* TemporalServer
    const client = yield* Layer.build(sqlLayer())
    const tables = yield* olakeTables("dev", installation === "plain" ? "v1" : "v2").pipe(
      Effect.provide(client)
    )
    yield* createShop
    const required = yield* workerEnv(TASK_QUEUE, storage)
    const env: Env = {
      ...(installation === "plain" ? plain(required) : chart(required, heardAt)),
      OLAKE_SECRET_KEY: SECRET_KEY,
      POD_NAME: "worker-0",
      JOB_CPU_REQUEST: "10m",
      JOB_MEMORY_REQUEST: "32Mi",
      JOB_MEMORY_LIMIT: "256Mi",
      ...platform.env
    }
    const healthPort = Number(env.HEALTH_PORT)
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
      taskQueue: installation === "plain" ? TASK_QUEUE : "OLAKE_DOCKER_TASK_QUEUE",
      heard,
      heardAt
    })
  })

/** Another worker in the place of the world's own. */
export const replaceWorker = (over: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const { worker, env, healthPort } = yield* World
    yield* worker.signal("SIGTERM")
    yield* worker.exited
    const next = yield* startWorker({ ...env, ...over })
    yield* untilReady(healthPort)
    return next
  })

/** A call of the Pods' API below the namespace. */
type Api = (method: "GET" | "POST" | "DELETE", kind: string, body?: unknown) => Promise<string>

const namesOf = (list: string): ReadonlyArray<string> => {
  const { items } = JSON.parse(list) as {
    items: ReadonlyArray<{ readonly metadata: { readonly name: string } }>
  }
  return items.map(({ metadata }) => metadata.name)
}

const using = (api: Api): Pick<Platform, "create" | "evict" | "objects" | "pods" | "remove" | "secrets"> => ({
  create: async (pod) => {
    await api("POST", "pods", pod)
  },
  evict: async (pod) => {
    await api("POST", `pods/${pod}/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: pod }
    })
  },
  remove: async (pod) => {
    await api("DELETE", `pods/${pod}`)
  },
  objects: () => api("GET", "pods"),
  pods: () => api("GET", "pods").then(namesOf),
  secrets: () => api("GET", "secrets").then(namesOf)
})

const localPlatform = (pods: LocalPods["Service"]): Platform => ({
  env: { KUBECONFIG: pods.kubeconfigPath },
  hostForPods: "127.0.0.1",
  ...using(async (method, kind, body) => {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) }
    const response = await fetch(`${pods.url}/api/v1/namespaces/default/${kind}`, {
      ...init,
      headers: { "content-type": "application/json" }
    })
    const text = await response.text()
    if (!response.ok) throw new Error(text)
    return text
  })
})

/** Pods as local processes behind the same API. */
export const localWorld = (installation: Installation = "plain") =>
  Layer.effect(
    World,
    Effect.gen(function* () {
      const storage = yield* temporaryFolder
      const pods = yield* LocalPods.pipe(
        Effect.provide(
          yield* Layer.build(
            LocalPods.layer({
              claims: { [CLAIM]: storage },
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
      return yield* make(storage, localPlatform(pods), installation)
    })
  ).pipe(Layer.provide([Postgres.layer(), TemporalServer.layer()]))

const CONNECTOR = fileURLToPath(new URL("../../dev/connector/main.ts", import.meta.url))

export const clusterWorld = (kubeconfig: string, installation: Installation = "plain") =>
  Layer.effect(
    World,
    Effect.gen(function* () {
      const { namespace, storage, api } = yield* place("olake-test", kubeconfig)
      const call: Api = (method, kind, body) =>
        api.call(method, `/api/v1/namespaces/${namespace}/${kind}`, body)
      return yield* make(
        storage,
        {
          env: { KUBECONFIG: kubeconfig, WORKER_NAMESPACE: namespace },
          hostForPods: hostAddress,
          ...using(call)
        },
        installation
      )
    })
  ).pipe(Layer.provide([Postgres.layer({ listenAddresses: [hostAddress] }), TemporalServer.layer()]))
