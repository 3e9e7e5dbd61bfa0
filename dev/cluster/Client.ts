/** A bare client of an API server: what the worker is compared with, and the eyes of all of dev/. */
import { KubeConfig } from "@kubernetes/client-node"
import type { IncomingMessage } from "node:http"
import { Agent, request, type RequestOptions } from "node:https"
import { createInterface } from "node:readline"
import { text } from "node:stream/consumers"

export interface PodObject {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly annotations?: Readonly<Record<string, string>>
    readonly labels?: Readonly<Record<string, string>>
    readonly deletionTimestamp?: string
  }
  readonly spec: {
    readonly nodeName?: string
    readonly containers: ReadonlyArray<{
      readonly volumeMounts?: ReadonlyArray<{ readonly subPath?: string }>
    }>
  }
  readonly status: {
    readonly phase: string
    readonly containerStatuses?: ReadonlyArray<{ readonly state?: Readonly<Record<string, unknown>> }>
  }
}

export interface Api {
  /** The answer as text; fails on a status of 400 and above. A PATCH is a JSON merge patch. */
  readonly call: (
    method: "GET" | "POST" | "PATCH" | "DELETE",
    path: string,
    body?: unknown
  ) => Promise<string>
  /** Calls back at every frame until closed; resolves when the server has answered. */
  readonly watch: (
    path: string,
    onFrame: (type: string, pod: PodObject) => void
  ) => Promise<{ readonly close: () => void }>
}

export interface ConnectOptions {
  /** How long an answer is waited for; for ever, where nothing is said. */
  readonly patienceMs?: number
  /** Whether connections outlive their call; they do, where nothing is said. */
  readonly keepAlive?: boolean
}

export const connect = async (kubeconfig: string, options: ConnectOptions = {}): Promise<Api> => {
  const { patienceMs, keepAlive = true } = options
  const config = new KubeConfig()
  config.loadFromFile(kubeconfig)
  const server = config.getCurrentCluster()?.server
  if (server === undefined) throw new Error(`${kubeconfig} names no cluster`)
  const credentials: RequestOptions = {}
  await config.applyToHTTPSOptions(credentials)
  const { ca, cert, key } = credentials
  const authorization = credentials.headers as Readonly<Record<string, string>> | undefined // never the array form
  const tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
  const agent = new Agent({ keepAlive, ...tls })

  const send = (method: string, path: string, body: string | undefined, pool: Agent | false) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const headers = {
        ...authorization,
        accept: "application/json",
        ...(body === undefined
          ? {}
          : {
              "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json",
              "content-length": Buffer.byteLength(body)
            })
      }
      const bound = patienceMs === undefined ? {} : { signal: AbortSignal.timeout(patienceMs) }
      request(new URL(path, server), { ...tls, ...bound, method, headers, agent: pool }, resolve)
        .once("error", reject)
        .end(body)
    })

  const checked = async (response: IncomingMessage, what: string): Promise<IncomingMessage> => {
    if ((response.statusCode ?? 500) < 400) return response
    throw new Error(`${what}: ${response.statusCode}: ${(await text(response)).slice(0, 300)}`)
  }

  return {
    call: async (method, path, body) => {
      const content = body === undefined ? undefined : JSON.stringify(body)
      return text(await checked(await send(method, path, content, agent), `${method} ${path}`))
    },
    watch: async (path, onFrame) => {
      const response = await checked(await send("GET", path, undefined, false), `watch ${path}`)
      response.on("error", () => undefined) // closed by us
      createInterface({ input: response }).on("line", (line) => {
        const frame = JSON.parse(line) as { type: string; object: PodObject }
        if (frame.object.metadata.uid !== undefined) onFrame(frame.type, frame.object)
      })
      return { close: () => response.destroy() }
    }
  }
}

const COUNTED = new Set(["pods", "secrets", "selfsubjectaccessreviews"])

/** Requests that the API server has answered, by verb and resource, whoever asked; watches are left out, and events, which the worker neither reads nor writes. */
export const answeredRequests = async (api: Api): Promise<ReadonlyMap<string, number>> => {
  const counts = new Map<string, number>()
  for (const line of (await api.call("GET", "/metrics")).split("\n")) {
    const [, labels = "", value] = /^apiserver_request_total\{(.*)\} (\S+)$/.exec(line) ?? []
    const label = (name: string) => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? ""
    const resource = label("resource")
    if (!COUNTED.has(resource) || label("verb") === "WATCH") continue
    const key = `${label("verb")} ${[resource, label("subresource")].filter(Boolean).join("/")}`
    counts.set(key, (counts.get(key) ?? 0) + Number(value))
  }
  return counts
}

/** What has been added since `before`. */
export const difference = (
  after: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number>
): ReadonlyMap<string, number> =>
  new Map(
    [...after]
      .map(([key, count]): readonly [string, number] => [key, count - (before.get(key) ?? 0)])
      .filter(([, count]) => count !== 0)
  )
