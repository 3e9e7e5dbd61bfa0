/** How far the cluster of this machine is. */
import { connect } from "./Client.ts"
import { kubeconfigFile, nodeName } from "./Settings.ts"

const PATIENCE_MS = 3_000

/** What the API server answers; undefined where it refuses, and where it does not answer. */
const get = async (path: string): Promise<string | undefined> => {
  try {
    const api = await connect(kubeconfigFile, { patienceMs: PATIENCE_MS, keepAlive: false })
    return await api.call("GET", path)
  } catch {
    return undefined
  }
}

interface Node {
  readonly status?: {
    readonly conditions?: ReadonlyArray<{ readonly type: string; readonly status: string }>
  }
}

export const isApiReady = async (): Promise<boolean> => (await get("/readyz")) !== undefined

export const isNodeReady = async (): Promise<boolean> => {
  const body = await get(`/api/v1/nodes/${nodeName}`)
  if (body === undefined) return false
  const node: Node = JSON.parse(body)
  return node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false
}

/** Without it the API server refuses every Pod of the namespace. */
export const hasDefaultServiceAccount = async (): Promise<boolean> =>
  (await get("/api/v1/namespaces/default/serviceaccounts/default")) !== undefined
