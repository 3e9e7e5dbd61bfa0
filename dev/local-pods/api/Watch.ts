/** One watch: changes as JSON lines, from a version on, until its time is over or the client leaves. */
import type { ServerResponse } from "node:http"
import { ApiRefusal, KINDS, type KubeObject, type Resource } from "./Objects.ts"
import type { Change, ObjectStore } from "./ObjectStore.ts"
import type { Selector } from "./Selector.ts"

export interface WatchRequest {
  readonly resource: Resource
  readonly namespace: string | undefined
  readonly selector: Selector
  /** Undefined or "0": begins with what there is. */
  readonly resourceVersion: string | null
  readonly bookmarkMillis: number | undefined
  readonly timeoutMillis: number
}

/** An object that begins or ceases to match is added or deleted in the watcher's eyes. */
const seenBy = (request: WatchRequest, change: Change): { type: string; object: KubeObject } | undefined => {
  const { resource, namespace, selector } = request
  const isIn = (object: KubeObject) =>
    (namespace === undefined || object.metadata.namespace === namespace) && selector(object)
  if (change.resource !== resource) return undefined
  const is = isIn(change.object)
  const was = change.before !== undefined && isIn(change.before)
  if (change.type === "MODIFIED") {
    if (is) return { type: was ? "MODIFIED" : "ADDED", object: change.object }
    return was ? { type: "DELETED", object: change.object } : undefined
  }
  return is || was ? { type: change.type, object: change.object } : undefined
}

export const watch = (store: ObjectStore, request: WatchRequest, response: ServerResponse): void => {
  const send = (event: unknown) => response.write(`${JSON.stringify(event)}\n`)
  response.writeHead(200, { "content-type": "application/json" })
  response.flushHeaders()
  try {
    const version = Number(request.resourceVersion ?? "0")
    if (version === 0) {
      for (const object of store.list(request.resource, request.namespace, request.selector)) {
        send({ type: "ADDED", object })
      }
    } else {
      for (const change of store.since(version)) {
        const event = seenBy(request, change)
        if (event !== undefined) send(event)
      }
    }
  } catch (error) {
    if (!(error instanceof ApiRefusal)) throw error
    send({ type: "ERROR", object: error.body })
    response.end()
    return
  }
  const unlisten = store.listen((change) => {
    const event = seenBy(request, change)
    if (event !== undefined) send(event)
  })
  const bookmark = () =>
    send({
      type: "BOOKMARK",
      object: {
        apiVersion: "v1",
        kind: KINDS[request.resource],
        metadata: { resourceVersion: String(store.version), creationTimestamp: null }
      }
    })
  const bookmarks =
    request.bookmarkMillis === undefined ? undefined : setInterval(bookmark, request.bookmarkMillis)
  const timeout = setTimeout(() => response.end(), request.timeoutMillis)
  response.once("close", () => {
    unlisten()
    clearInterval(bookmarks)
    clearTimeout(timeout)
  })
}
