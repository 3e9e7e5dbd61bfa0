import { existsSync } from "node:fs"
import { request, type RequestOptions } from "node:https"
import { delimiter } from "node:path"
import { KubeConfig } from "@kubernetes/client-node"
import { kubeconfigFile } from "../../../dev/cluster/Settings.ts"

export type ClusterAccess =
  | { readonly available: true; readonly kubeconfig: string }
  | { readonly available: false; readonly why: string }

const patienceMs = 3_000
/** A required cluster that is slow for a while is not missing. */
const TRIES_IF_REQUIRED = 10
const command = "npm run cluster -- up"

const answersReady = (url: URL, options: RequestOptions): Promise<string | undefined> =>
  new Promise((resolve) => {
    const signal = AbortSignal.timeout(patienceMs)
    const call = request(url, { ...options, signal }, (response) => {
      response.resume()
      resolve(response.statusCode === 200 ? undefined : `${url.href} answers ${response.statusCode}`)
    })
    call.once("error", (error) =>
      resolve(signal.aborted ? `${url.href} does not answer within 3 s` : `${url.href}: ${error.message}`)
    )
    call.end()
  })

/** Why the cluster of this kubeconfig cannot be used; undefined when it can. */
const findObstacle = async (kubeconfig: string): Promise<string | undefined> => {
  if (!existsSync(kubeconfig)) return `no file ${kubeconfig}`
  try {
    const config = new KubeConfig()
    config.loadFromFile(kubeconfig)
    const server = config.getCurrentCluster()?.server
    if (server === undefined) return `${kubeconfig} names no cluster`
    const options: RequestOptions = {}
    await config.applyToHTTPSOptions(options)
    return await answersReady(new URL("/readyz", server), options)
  } catch (error) {
    return `${kubeconfig}: ${String(error)}`
  }
}

const candidates = (): ReadonlyArray<string> => {
  const [first] = (process.env["KUBECONFIG"] ?? "").split(delimiter)
  const named = [process.env["OLAKE_TEST_KUBECONFIG"], first, kubeconfigFile]
  return [...new Set(named.filter((file) => file !== undefined).filter((file) => file !== ""))]
}

const findCluster = async (): Promise<ClusterAccess> => {
  const required = process.env["OLAKE_TEST_CLUSTER"] === "required"
  let why = ""
  for (let tries = required ? TRIES_IF_REQUIRED : 1; tries > 0; tries -= 1) {
    const obstacles: Array<string> = []
    for (const kubeconfig of candidates()) {
      const obstacle = await findObstacle(kubeconfig)
      if (obstacle === undefined) return { available: true, kubeconfig }
      obstacles.push(obstacle)
    }
    why = obstacles.join("; ")
  }
  if (required) {
    throw new Error(
      `OLAKE_TEST_CLUSTER=required, but there is no cluster: ${why}; bring one up with: ${command}`
    )
  }
  console.warn(`SKIPPED: cluster suites: ${why}; bring one up with: ${command}`)
  return { available: false, why }
}

let found: Promise<ClusterAccess> | undefined

/** Looks once per process. */
export const clusterAccess = (): Promise<ClusterAccess> => (found ??= findCluster())
