/** A release of the chart in a cluster, with Postgres and Temporal on this host: the worker runs as users run it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { chmod, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { hostAddress } from "../../dev/cluster/Settings.ts"
import { place, temporaryFolder } from "../../dev/cluster/Place.ts"
import type { Api } from "../../dev/cluster/Client.ts"
import { olakeTables } from "../../dev/postgres/OlakeTables.ts"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { sqlLayer } from "../../dev/postgres/Shop.ts"
import { TemporalServer } from "../../dev/temporal/TemporalServer.ts"
import { CLAIM } from "../../dev/world/WorkerEnv.ts"
import { workerImage } from "../../dev/cluster/images/WorkerImage.ts"
import { CHART, commands, RELEASE, type Values } from "../support/Helm.ts"
import { tcpProxy } from "../support/world/TcpProxy.ts"
import { SECRET_KEY, World } from "../support/world/World.ts"

export class Installed extends Context.Service<
  Installed,
  ReturnType<typeof commands> & { readonly namespace: string; readonly api: Api }
>()("test/helm/Installed") {}

/** The user of worker and connectors. */
const USER = { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 }

const valuesFor = (temporal: string, postgres: Postgres["Service"]): Values => ({
  image: { tag: workerImage.split(":").at(-1) },
  temporal: { address: temporal },
  database: {
    host: hostAddress,
    port: postgres.port,
    name: postgres.database,
    user: postgres.user,
    password: postgres.password,
    runMode: "dev"
  },
  encryption: { key: SECRET_KEY },
  storage: { existingClaim: CLAIM },
  jobs: {
    resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "256Mi" } },
    securityContext: USER
  },
  resources: { requests: { cpu: "50m", memory: "192Mi" }, limits: { memory: "1Gi" } }
})

const inCluster = () => {
  throw new Error("the worker runs in the cluster")
}

const make = (kubeconfig: string) =>
  Effect.gen(function* () {
    const { api, namespace, storage } = yield* place("olake-helm", kubeconfig)
    const home = yield* temporaryFolder("olake-helm")
    const run = commands(kubeconfig, namespace, home)
    const { address, temporal } = yield* TemporalServer
    // Temporal's development server works on loopback only, Pods are elsewhere.
    const { address: temporalForPods } = yield* tcpProxy(address, hostAddress)
    const postgres = yield* Postgres
    const tables = yield* olakeTables("dev", "v2").pipe(Effect.provide(yield* Layer.build(sqlLayer())))
    const values = join(home, "values.json")
    yield* Effect.promise(async () => {
      // The volume is a folder of this host, whose owner no fsGroup changes.
      await chmod(storage, 0o777)
      await run.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
      await writeFile(values, JSON.stringify(valuesFor(temporalForPods, postgres)))
      await run.helm("install", RELEASE, CHART, "--values", values, "--wait", "--timeout=150s")
    })
    const list = async (kind: string) => {
      const names = await run.kubectl("get", kind, "-l=app.kubernetes.io/managed-by=olake-workers", "-o=name")
      return names.split("\n").filter((name) => name !== "")
    }
    return Context.make(
      World,
      World.of({
        storage,
        healthPort: 8090,
        worker: { pid: 0, output: inCluster, signal: inCluster, exited: Effect.sync(inCluster) },
        env: {},
        platform: {
          env: {},
          create: inCluster,
          remove: inCluster,
          removeByForce: inCluster,
          hold: inCluster,
          evict: inCluster,
          pods: () => list("pods"),
          objects: inCluster,
          secrets: () => list("secrets"),
          hostForPods: hostAddress
        },
        postgres,
        tables,
        temporal,
        taskQueue: "OLAKE_DOCKER_TASK_QUEUE",
        heard: [],
        heardAt: ""
      })
    ).pipe(Context.add(Installed, Installed.of({ ...run, namespace, api })))
  })

export const installedWorld = (kubeconfig: string) =>
  Layer.effectContext(make(kubeconfig)).pipe(
    Layer.provide([Postgres.layer({ listenAddresses: [hostAddress] }), TemporalServer.layer()])
  )
