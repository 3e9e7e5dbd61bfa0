/**
 * The slice of the Kubernetes API that a worker needs, with Pods as local processes: for tests and the demo
 * where there is no cluster. It has no scheduler, no images and no isolation; a Pod's first container runs alone.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import * as Kubelet from "./Kubelet.ts"
import type { Timing } from "./Node.ts"
import type { KubeObject } from "./api/Objects.ts"
import { ObjectStore } from "./api/ObjectStore.ts"
import { listen, type ServerOptions } from "./api/Server.ts"

export type { Scenario, ScenarioStep } from "./Kubelet.ts"
export type { KubeObject } from "./api/Objects.ts"

export interface LocalPodsOptions {
  /** Host folder of each persistent volume claim. */
  readonly claims?: Readonly<Record<string, string>>
  /** The program that `olakego/source-postgres` runs; default dev/connector. */
  readonly connector?: string
  /** The programs of other images, or another answer for that one; undefined is an image that does not exist. */
  readonly entrypoint?: (image: string) => ReadonlyArray<string> | undefined
  readonly maxPods?: number
  readonly timing?: Partial<Timing>
  readonly bookmarkMillis?: number
  /** A script of statuses instead of a process, for the Pods it answers for. */
  readonly scenario?: Kubelet.ScenarioOf
  /** Answers instead of the server: for outages and refusals. */
  readonly intercept?: ServerOptions["intercept"]
}

export class LocalPods extends Context.Service<
  LocalPods,
  {
    readonly url: string
    /** A kubeconfig file for it; `kubeconfig` is its content. */
    readonly kubeconfigPath: string
    readonly kubeconfig: string
    /** Calls so far by verb and resource, such as `create pods`, `watch pods`, `get pods/log`. */
    readonly requests: () => Readonly<Record<string, number>>
    readonly pods: () => ReadonlyArray<KubeObject>
    /** Forgets all history: a watch from an older version answers 410. */
    readonly compact: () => void
    /** Cuts every connection, as a network failure does. */
    readonly disconnect: () => void
  }
>()("olake-worker/dev/LocalPods") {
  static readonly layer = (options: LocalPodsOptions = {}) => Layer.effect(LocalPods, make(options))
}

const TIMING: Timing = { creating: 50, observing: 100, ending: 200, retrying: 250 }
const CONNECTOR = fileURLToPath(new URL("../connector/main.ts", import.meta.url))

const olakeImage =
  (connector: string) =>
  (image: string): ReadonlyArray<string> | undefined =>
    /(^|\/)olakego\/source-postgres:[\w.-]+$/.test(image) ? [process.execPath, connector] : undefined

/** client-node speaks plain HTTP only where TLS is not to be verified. */
const kubeconfigOf = (server: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "local-pods", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "local-pods", user: {} }],
    contexts: [
      { name: "local-pods", context: { cluster: "local-pods", user: "local-pods", namespace: "default" } }
    ],
    "current-context": "local-pods"
  })

const make = Effect.fnUntraced(function* (options: LocalPodsOptions) {
  const scratch = yield* Effect.acquireRelease(
    Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "local-pods-"))),
    (dir) => Effect.promise(() => fs.rm(dir, { recursive: true, force: true }))
  )
  const store = new ObjectStore()
  const kubelet = yield* Kubelet.start(
    {
      store,
      entrypoint: options.entrypoint ?? olakeImage(options.connector ?? CONNECTOR),
      claims: options.claims ?? {},
      maxPods: options.maxPods ?? 16,
      scratch,
      timing: { ...TIMING, ...options.timing }
    },
    options.scenario ?? (() => undefined)
  )
  const requests: Record<string, number> = {}
  const { server, port } = yield* Effect.acquireRelease(
    Effect.promise(() =>
      listen({
        store,
        logOf: kubelet.logOf,
        bookmarkMillis: options.bookmarkMillis ?? 30_000,
        intercept: options.intercept ?? (() => undefined),
        onCall: ({ verb, resource }) => {
          const kind = `${verb} ${resource}`
          requests[kind] = (requests[kind] ?? 0) + 1
        }
      })
    ),
    ({ server }) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const url = `http://127.0.0.1:${port}`
  const kubeconfig = kubeconfigOf(url)
  const kubeconfigPath = path.join(scratch, "kubeconfig")
  yield* Effect.promise(() => fs.writeFile(kubeconfigPath, kubeconfig))
  return LocalPods.of({
    url,
    kubeconfig,
    kubeconfigPath,
    requests: () => ({ ...requests }),
    pods: () => store.list("pods", undefined, () => true),
    compact: () => store.compact(),
    disconnect: () => server.closeAllConnections()
  })
})
