/** A place of one's own in a cluster: a namespace with a volume on this host, gone with the scope. */
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { kubeconfigFile } from "./Settings.ts"
import { type Api, connect } from "./Client.ts"
import { CLAIM } from "../world/WorkerEnv.ts"

export interface Place {
  readonly api: Api
  readonly kubeconfig: string
  readonly namespace: string
  /** The volume's folder on this host. */
  readonly storage: string
}

/** Asks every 50 ms, for at most a minute and a half where nothing else is said. */
export const until = async (what: string, holds: () => Promise<boolean>, seconds = 90): Promise<void> => {
  const end = Date.now() + seconds * 1000
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`)
    await sleep(50)
  }
}

const findKubeconfig = (): string => {
  const named = (process.env["KUBECONFIG"] ?? "").split(delimiter)[0] || kubeconfigFile
  if (existsSync(named)) return named
  throw new Error(`no cluster: no file ${named}; bring one up with: npm run cluster -- up`)
}

const fill = async (api: Api, namespace: string, storage: string): Promise<void> => {
  const size = { storage: "1Gi" }
  const shared = { accessModes: ["ReadWriteMany"], storageClassName: "" }
  await api.call("POST", "/api/v1/persistentvolumes", {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: namespace },
    spec: {
      ...shared,
      capacity: size,
      hostPath: { path: storage },
      claimRef: { namespace, name: CLAIM },
      persistentVolumeReclaimPolicy: "Retain"
    }
  })
  const claims = `/api/v1/namespaces/${namespace}/persistentvolumeclaims`
  await api.call("POST", claims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: CLAIM },
    spec: { ...shared, volumeName: namespace, resources: { requests: size } }
  })
  await until("the claim is bound", async () =>
    (await api.call("GET", `${claims}/${CLAIM}`)).includes(`"phase":"Bound"`)
  )
  await until("the namespace has its ServiceAccount", () =>
    api.call("GET", `/api/v1/namespaces/${namespace}/serviceaccounts/default`).then(
      () => true,
      () => false
    )
  )
}

const empty = async (api: Api, namespace: string): Promise<void> => {
  await api.call("DELETE", `/api/v1/namespaces/${namespace}`)
  await until("the namespace is gone", () =>
    api.call("GET", `/api/v1/namespaces/${namespace}`).then(
      () => false,
      () => true
    )
  )
  await api.call("DELETE", `/api/v1/persistentvolumes/${namespace}`).catch(() => "")
}

export const temporaryFolder = (prefix: string) =>
  Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), `${prefix}-`))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
  )

/** In the cluster of that kubeconfig file; without one, of the current kubeconfig or the project's own cluster. */
export const place = Effect.fnUntraced(function* (prefix: string, file?: string) {
  const storage = yield* temporaryFolder(prefix)
  const kubeconfig = file ?? (yield* Effect.sync(findKubeconfig))
  const api = yield* Effect.promise(() => connect(kubeconfig))
  const namespace = `${prefix}-${randomBytes(3).toString("hex")}`
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }
  yield* Effect.acquireRelease(
    Effect.promise(() => api.call("POST", "/api/v1/namespaces", body)),
    () =>
      Effect.promise(() =>
        empty(api, namespace).catch((error: unknown) => {
          console.error(`namespace ${namespace} is left behind: ${String(error)}`)
        })
      )
  )
  yield* Effect.promise(() => fill(api, namespace, storage))
  return { api, kubeconfig, namespace, storage } satisfies Place
})
