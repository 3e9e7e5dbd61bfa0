/** The demo's parts: Postgres with the shop, Temporal, Pods on this machine or on a cluster, and the built worker. */
import { Client, Connection } from "@temporalio/client"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { place } from "../cluster/Place.ts"
import { hostAddress } from "../cluster/Settings.ts"
import { LocalPods } from "../local-pods/LocalPods.ts"
import { TemporalServer } from "../temporal/TemporalServer.ts"
import { CLAIM, type Env, workerEnv } from "../world/WorkerEnv.ts"

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url))
export const TASK_QUEUE = "olake-demo"

export interface Platform {
  readonly storage: string
  readonly env: Env
  /** Where a Pod finds this machine. */
  readonly hostForPods: string
}

const storageFolder = (keep: boolean) =>
  Effect.acquireRelease(
    Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "olake-demo-"))),
    (dir) => (keep ? Effect.void : Effect.promise(() => fs.rm(dir, { recursive: true, force: true })))
  )

/** Pods as processes of this machine. */
export const localPlatform = (keep: boolean) =>
  Effect.gen(function* () {
    const storage = yield* storageFolder(keep)
    const context = yield* Layer.build(LocalPods.layer({ claims: { [CLAIM]: storage } }))
    const { kubeconfigPath } = yield* LocalPods.pipe(Effect.provide(context))
    return { storage, hostForPods: "127.0.0.1", env: { KUBECONFIG: kubeconfigPath } } satisfies Platform
  })

/** Pods on the cluster of the current kubeconfig, in a namespace of the demo's own. */
export const clusterPlatform = Effect.map(
  place("olake-demo"),
  ({ kubeconfig, namespace, storage }): Platform => {
    const env = { KUBECONFIG: kubeconfig, WORKER_NAMESPACE: namespace, JOB_MEMORY_REQUEST: "64Mi" }
    return { storage, hostForPods: hostAddress, env }
  }
)

const startWorker = (env: Env) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      if (!existsSync(MAIN)) throw new Error("the worker is not built: npm run build")
      const child = spawn(process.execPath, [MAIN], {
        env: { PATH: process.env["PATH"], ...env },
        stdio: ["ignore", "pipe", "pipe"]
      })
      let log = ""
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (text: Buffer) => (log += text.toString()))
      const exited = new Promise<void>((resolve) => child.once("close", () => resolve()))
      return { child, exited, log: () => log }
    }),
    ({ child, exited }) =>
      Effect.promise(() => {
        child.kill("SIGTERM")
        return exited
      }).pipe(
        Effect.timeoutOrElse({
          duration: "15 seconds",
          orElse: () => Effect.sync(() => void child.kill("SIGKILL"))
        })
      )
  )

const isReady = (port: string) =>
  Effect.tryPromise((signal) => fetch(`http://127.0.0.1:${port}/health/ready`, { signal })).pipe(
    Effect.filterOrFail((response) => response.status === 200),
    Effect.asVoid
  )

/** The worker, once it is ready, and a client to ask it for work. */
export const workerOn = (platform: Platform) =>
  Effect.gen(function* () {
    const temporal = yield* TemporalServer
    const env = yield* workerEnv(TASK_QUEUE, platform.storage)
    const worker = yield* startWorker({ ...env, LOG_FORMAT: "console", ...platform.env })
    yield* isReady(env.HEALTH_PORT).pipe(
      Effect.eventually,
      Effect.timeoutOrElse({
        duration: "30 seconds",
        orElse: () => Effect.fail(new Error(`the worker is not ready:\n${worker.log()}`))
      })
    )
    const connection = yield* Effect.acquireRelease(
      Effect.promise(() => Connection.connect({ address: temporal.address })),
      (it) => Effect.promise(() => it.close())
    )
    return { client: new Client({ connection }), log: worker.log }
  })
