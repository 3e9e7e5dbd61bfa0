/**
 * Everything around a worker, real: Postgres with OLake's tables, a Temporal server, shared storage, the worker as a
 * process. Pods run on LocalPods or on a cluster; the same suites run in both.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fileURLToPath } from "node:url"
import type { LocalPods } from "../../../dev/local-pods/LocalPods.ts"
import { createShop } from "../../../dev/postgres/Shop.ts"
import type { CliResult } from "../../../dev/temporal/TemporalServer.ts"
import { startReadyWorker, type WorkerProcess } from "../../../dev/world/Worker.ts"
import type { Env } from "../../../dev/world/WorkerEnv.ts"
import {
  clusterServers,
  localServers,
  makeWorld,
  onCluster,
  onLocalPods,
  type Platform,
  type Surroundings
} from "../../../dev/world/World.ts"
import { CONNECTOR } from "../Conditions.ts"
import { type Heard, listener } from "../Listener.ts"

export const SECRET_KEY = "marker-of-the-secret-key"
const PROBE = fileURLToPath(new URL("../../../dev/cluster/images/probe.sh", import.meta.url))

/** What is done to Pods by others than the worker, and what is there of them: names, where nothing else is said. */
interface Pods {
  readonly create: (pod: unknown) => Promise<void>
  /** Deletes a Pod, as a user with kubectl does. */
  readonly remove: (pod: string) => Promise<void>
  /** Deletes a Pod without waiting for anybody, as `kubectl delete --force` does. */
  readonly removeByForce: (pod: string) => Promise<void>
  /** Sets the finalizers of a Pod; none lets go of it. */
  readonly hold: (pod: string, finalizers: ReadonlyArray<string>) => Promise<void>
  /** Evicts a Pod, as `kubectl drain` does; a real cluster only. */
  readonly evict: (pod: string) => Promise<void>
  readonly pods: () => Promise<ReadonlyArray<string>>
  /** The Pods and Secrets themselves, as the API has them. */
  readonly objects: () => Promise<string>
  readonly secrets: () => Promise<ReadonlyArray<string>>
}

export class World extends Context.Service<
  World,
  Pick<Surroundings, "postgres" | "tables" | "taskQueue"> & {
    readonly storage: string
    readonly healthPort: number
    readonly worker: WorkerProcess
    readonly env: Env
    readonly platform: Pods & Pick<Platform, "env" | "hostForPods">
    readonly temporal: (args: ReadonlyArray<string>) => Effect.Effect<CliResult>
    /** What OLake's UI and webhooks were told so far. */
    readonly heard: ReadonlyArray<Heard>
    readonly heardAt: string
  }
>()("test/World") {}

/** `chart`: the environment of olake-helm's chart, which leaves much to the worker's defaults. */
export type Installation = "plain" | "chart"

/** The chart names neither namespace nor task queue: these are the worker's own defaults. */
const asChart = (env: Env, callbackUrl: string): Env => {
  const { TEMPORAL_HOST_PORT, TEMPORAL_NAMESPACE: _namespace, TEMPORAL_TASK_QUEUE: _queue, ...rest } = env
  return {
    ...rest,
    TEMPORAL_ADDRESS: TEMPORAL_HOST_PORT ?? "",
    OLAKE_CALLBACK_URL: `${callbackUrl}/internal/worker/callback`,
    KUBERNETES_SERVICE_HOST: "10.0.0.1",
    LOG_FORMAT: "json"
  }
}

const make = (platform: Platform, pods: Pods, installation: Installation) =>
  Effect.gen(function* () {
    const { heard, url: heardAt } = yield* listener
    const isChart = installation === "chart"
    const world = yield* makeWorld(platform, {
      taskQueue: isChart ? "OLAKE_DOCKER_TASK_QUEUE" : "olake-test",
      tables: isChart ? "v2" : "v1",
      env: {
        OLAKE_SECRET_KEY: SECRET_KEY,
        POD_NAME: "worker-0",
        JOB_CPU_REQUEST: "10m",
        JOB_MEMORY_REQUEST: "32Mi",
        JOB_MEMORY_LIMIT: "256Mi"
      }
    })
    yield* createShop
    const env = isChart ? asChart(world.env, heardAt) : world.env
    return World.of({
      storage: world.storage,
      healthPort: Number(world.env.HEALTH_PORT),
      worker: yield* startReadyWorker(env),
      env,
      platform: { ...pods, env: platform.env, hostForPods: platform.hostForPods },
      postgres: world.postgres,
      tables: world.tables,
      temporal: world.temporal.temporal,
      taskQueue: world.taskQueue,
      heard,
      heardAt
    })
  })

/** Another worker in the place of the world's own. */
export const replaceWorker = (over: Env) =>
  Effect.gen(function* () {
    const { worker, env } = yield* World
    yield* worker.signal("SIGTERM")
    yield* worker.exited
    return yield* startReadyWorker({ ...env, ...over })
  })

/** A call of the Pods' API below the namespace. */
type Api = (method: "GET" | "POST" | "PATCH" | "DELETE", kind: string, body?: unknown) => Promise<string>

const namesOf = (list: string): ReadonlyArray<string> => {
  const { items } = JSON.parse(list) as {
    items: ReadonlyArray<{ readonly metadata: { readonly name: string } }>
  }
  return items.map(({ metadata }) => metadata.name)
}

const podsOf = (api: Api): Pods => ({
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
  removeByForce: async (pod) => {
    await api("DELETE", `pods/${pod}`, { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: 0 })
  },
  hold: async (pod, finalizers) => {
    await api("PATCH", `pods/${pod}`, { metadata: { finalizers } })
  },
  objects: () => api("GET", "pods"),
  pods: () => api("GET", "pods").then(namesOf),
  secrets: () => api("GET", "secrets").then(namesOf)
})

const inLocalPods =
  ({ url }: LocalPods["Service"]): Api =>
  async (method, kind, body) => {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) }
    const response = await fetch(`${url}/api/v1/namespaces/default/${kind}`, {
      ...init,
      headers: { "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json" }
    })
    const text = await response.text()
    if (!response.ok) throw new Error(text)
    return text
  }

const entrypoint = (image: string): ReadonlyArray<string> | undefined => {
  if (/source-probe:v0/.test(image)) return ["sh", PROBE]
  return /source-postgres:v0/.test(image) ? [process.execPath, CONNECTOR] : undefined
}

/** Pods as local processes behind the same API. */
export const localWorld = (installation: Installation = "plain") =>
  Layer.effect(
    World,
    Effect.gen(function* () {
      const platform = yield* onLocalPods({ entrypoint }, "olake-test")
      return yield* make(platform, podsOf(inLocalPods(platform.localPods)), installation)
    })
  ).pipe(Layer.provide(localServers))

export const clusterWorld = (kubeconfig: string, installation: Installation = "plain") =>
  Layer.effect(
    World,
    Effect.gen(function* () {
      const platform = yield* onCluster("olake-test", kubeconfig)
      const { namespace, api } = platform
      const call: Api = (method, kind, body) =>
        api.call(method, `/api/v1/namespaces/${namespace}/${kind}`, body)
      return yield* make(platform, podsOf(call), installation)
    })
  ).pipe(Layer.provide(clusterServers))
