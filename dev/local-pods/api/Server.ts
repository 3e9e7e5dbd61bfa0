/** The HTTP side: paths and verbs of the Kubernetes API onto the store, errors as Status objects. */
import * as Schema from "effect/Schema"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import {
  ApiRefusal,
  badRequest,
  isResource,
  KINDS,
  type KubeObject,
  type Resource,
  type StatusBody
} from "./Objects.ts"
import type { ObjectStore } from "./ObjectStore.ts"
import { admit, DeleteOptions, logText, patch, remove } from "./PodApi.ts"
import type { PodLog } from "../PodProcess.ts"
import * as Selector from "./Selector.ts"
import { watch } from "./Watch.ts"

export interface ApiCall {
  /** Kubernetes' verb: get, list, watch, create, patch, delete. */
  readonly verb: string
  /** Such as `pods` or `pods/log`; else the path. */
  readonly resource: string
  readonly namespace: string
  readonly name: string
}

export interface ServerOptions {
  readonly store: ObjectStore
  readonly logOf: (uid: string) => PodLog | undefined
  readonly bookmarkMillis: number
  /** Answers instead of the server: for outages and refusals. */
  readonly intercept: (
    call: ApiCall
  ) => { readonly code: number; readonly body?: StatusBody | string } | undefined
  readonly onCall: (call: ApiCall) => void
}

const MAX_BODY = 3 * 1024 * 1024
const WATCH_MILLIS = 30 * 60_000
const PATH =
  /^\/api\/v1(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<resource>[^/]+)(?:\/(?<name>[^/]+))?(?:\/(?<sub>[^/]+))?$/
const VERBS: Readonly<Record<string, string>> = {
  GET: "get",
  POST: "create",
  PATCH: "patch",
  DELETE: "delete"
}
const VERSION = { major: "1", minor: "34", gitVersion: "v1.34.4", platform: "linux/amd64" }

const readBody = async (request: http.IncomingMessage): Promise<object> => {
  const chunks: Array<Buffer> = []
  let size = 0
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    if (size > MAX_BODY) throw new ApiRefusal(413, "RequestEntityTooLarge", `limit is ${MAX_BODY}`)
    chunks.push(bytes)
  }
  if (size === 0) return {}
  try {
    return Object(JSON.parse(Buffer.concat(chunks).toString("utf8")))
  } catch {
    throw badRequest("the object provided is unrecognized (must be of type JSON)")
  }
}

const toCall = (method: string, url: URL): ApiCall => {
  const { namespace = "", resource = "", name = "", sub } = PATH.exec(url.pathname)?.groups ?? {}
  const isWatch = ["1", "true"].includes(url.searchParams.get("watch") ?? "")
  const verb = VERBS[method] ?? method.toLowerCase()
  return {
    verb: verb === "get" && resource !== "" && name === "" ? (isWatch ? "watch" : "list") : verb,
    resource: resource === "" ? url.pathname : sub === undefined ? resource : `${resource}/${sub}`,
    namespace,
    name
  }
}

const list = (store: ObjectStore, resource: Resource, items: ReadonlyArray<KubeObject>) => ({
  kind: `${KINDS[resource]}List`,
  apiVersion: "v1",
  metadata: { resourceVersion: String(store.version) },
  items
})

const EMPTY_LISTS = ["events"]

const answer = async (
  { store, logOf, bookmarkMillis }: ServerOptions,
  call: ApiCall,
  url: URL,
  request: http.IncomingMessage,
  response: http.ServerResponse
): Promise<unknown> => {
  const { verb, resource, name } = call
  const query = url.searchParams
  if (resource === "/readyz" || resource === "/livez" || resource === "/healthz") return "ok"
  if (resource === "/version") return VERSION
  if (url.pathname === "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") {
    return { ...(await readBody(request)), status: { allowed: true, reason: "LocalPods allows everything" } }
  }
  if (verb === "list" && EMPTY_LISTS.includes(resource)) {
    return {
      kind: "EventList",
      apiVersion: "v1",
      metadata: { resourceVersion: String(store.version) },
      items: []
    }
  }
  const namespace = call.namespace === "" ? undefined : call.namespace
  if (resource === "pods/log" && verb === "get") {
    const pod = store.get("pods", call.namespace, name)
    return logText(pod, logOf(pod.metadata.uid), query)
  }
  if (!isResource(resource)) {
    throw new ApiRefusal(404, "NotFound", "the server could not find the requested resource")
  }
  const selector = Selector.parse(query.get("labelSelector"), query.get("fieldSelector"))
  switch (verb) {
    case "list":
      return list(store, resource, store.list(resource, namespace, selector))
    case "watch":
      watch(
        store,
        {
          resource,
          namespace,
          selector,
          resourceVersion: query.get("resourceVersion"),
          bookmarkMillis: query.get("allowWatchBookmarks") === "true" ? bookmarkMillis : undefined,
          timeoutMillis: query.has("timeoutSeconds")
            ? Number(query.get("timeoutSeconds")) * 1000
            : WATCH_MILLIS
        },
        response
      )
      return undefined
    case "get":
      return store.get(resource, call.namespace, name)
    case "create":
      return store.create(
        resource,
        call.namespace,
        admit(resource, await readBody(request)),
        query.get("dryRun") === "All"
      )
    case "patch": {
      if (request.headers["content-type"]?.includes("json-patch") === true) {
        throw new ApiRefusal(415, "UnsupportedMediaType", "LocalPods knows merge patches only")
      }
      const body = await readBody(request)
      return patch(store, resource, store.get(resource, call.namespace, name), body)
    }
    case "delete": {
      const grace = query.get("gracePeriodSeconds")
      const body = await readBody(request)
      const options = { ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }), ...body }
      if (!Schema.is(DeleteOptions)(options)) throw badRequest("DeleteOptions do not decode")
      return remove(store, resource, store.get(resource, call.namespace, name), options)
    }
    default:
      throw new ApiRefusal(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource"
      )
  }
}

const send = (response: http.ServerResponse, code: number, body: unknown): void => {
  const isText = typeof body === "string"
  response.writeHead(code, { "content-type": isText ? "text/plain" : "application/json" })
  response.end(isText ? body : JSON.stringify(body))
}

const handle =
  (options: ServerOptions) => async (request: http.IncomingMessage, response: http.ServerResponse) => {
    const url = new URL(request.url ?? "/", "http://localhost")
    const call = toCall(request.method ?? "GET", url)
    options.onCall(call)
    try {
      const instead = options.intercept(call)
      if (instead !== undefined) {
        send(response, instead.code, instead.body ?? "")
        return
      }
      const body = await answer(options, call, url, request, response)
      if (body !== undefined) send(response, call.verb === "create" ? 201 : 200, body)
    } catch (error) {
      const refusal =
        error instanceof ApiRefusal ? error : new ApiRefusal(500, "InternalError", String(error))
      if (response.headersSent) response.destroy()
      else send(response, refusal.code, refusal.body)
    }
  }

export const listen = (
  options: ServerOptions
): Promise<{ readonly server: http.Server; readonly port: number }> =>
  new Promise((resolve, reject) => {
    const handler = handle(options)
    const server = http.createServer((request, response) => void handler(request, response))
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address: AddressInfo | string | null = server.address()
      resolve({ server, port: typeof address === "object" && address !== null ? address.port : 0 })
    })
  })
