import { readFile } from "node:fs/promises"
import { request } from "node:https"
import { pki } from "./node/Certificates.ts"
import { adminTokenFile } from "./node/Configuration.ts"
import { apiUrl, nodeName } from "./Settings.ts"

const patienceMs = 3_000

/** The body of a 200 answer; undefined for every other answer, and for none. */
const get = async (path: string): Promise<string | undefined> => {
  try {
    const [ca, token] = await Promise.all([readFile(pki.certificate("ca")), readFile(adminTokenFile, "utf8")])
    return await new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` }
      const call = request(
        new URL(path, apiUrl),
        { ca, headers, signal: AbortSignal.timeout(patienceMs), agent: false },
        (response) => {
          let body = ""
          response.setEncoding("utf8")
          response.on("data", (chunk: string) => (body += chunk))
          response.once("error", reject)
          response.once("end", () => resolve(response.statusCode === 200 ? body : undefined))
        }
      )
      call.once("error", reject)
      call.end()
    })
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
