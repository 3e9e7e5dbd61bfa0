/** Lists and watches of one kind of object in the namespace. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type * as ApiTransport from "./ApiTransport.ts"
import { KubernetesError } from "./KubernetesError.ts"

export interface WatchFrame<A> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"
  readonly object: A
}

export const unreadable = (operation: string, text: string) =>
  new KubernetesError({ operation, status: 0, reason: "UnreadableAnswer", detail: text.slice(0, 200) })

interface Status {
  readonly code?: number
  readonly reason?: string
  readonly message?: string
}

/** Longest line a watch may send; etcd refuses objects of more than 1.5 MiB. */
const MAX_FRAME = 8 * 1024 * 1024

/** @param operation such as "watch Pods" */
const parseFrame = Effect.fnUntraced(function* <A>(operation: string, line: string) {
  if (line.length > MAX_FRAME) return yield* unreadable(operation, `a frame of ${line.length} characters`)
  const frame = yield* Effect.try({
    // SAFETY: the API server's answers are what the Kubernetes API documents.
    try: () => JSON.parse(line) as WatchFrame<A> | { readonly type: "ERROR"; readonly object: Status },
    catch: () => unreadable(operation, line)
  })
  if (frame.type !== "ERROR") return frame
  const { code, reason, message } = frame.object
  return yield* new KubernetesError({
    operation,
    status: code ?? 500,
    reason: reason ?? "Unknown",
    detail: message ?? ""
  })
})

export interface Listed<A> {
  readonly items: ReadonlyArray<A>
  readonly resourceVersion: string
}

type Selector = { readonly labelSelector: string } | { readonly fieldSelector: string }

export const named = (name: string): Selector => ({ fieldSelector: `metadata.name=${name}` })

interface Page<A> {
  readonly items?: ReadonlyArray<A>
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string }
}

const PAGE = 500

/**
 * @param core path of the namespace
 * @param json one request, its answer parsed
 * @param again when a page is asked for once more
 */
export const make = <S>(
  transport: ReturnType<typeof ApiTransport.make>,
  core: string,
  json: <A>(verb: string, request: ApiTransport.ApiRequest) => Effect.Effect<A, KubernetesError>,
  again: Schedule.Schedule<S, KubernetesError>
) => {
  /** @param what such as "Pods", the path's last part in its plural */
  const listPage = <A>(what: string, selector: Selector, token: string | undefined) =>
    json<Page<A>>("list", {
      operation: `list ${what}`,
      method: "GET",
      path: `${core}/${what.toLowerCase()}`,
      query: { ...selector, limit: PAGE, ...(token === undefined ? {} : { continue: token }) }
    }).pipe(
      // Something between us and the API server may say 200 as well.
      Effect.filterOrFail(
        (page) => page?.metadata !== undefined,
        (page) => unreadable(`list ${what}`, JSON.stringify(page))
      ),
      Effect.retry(again)
    )

  const list = Effect.fn("KubernetesClient.list")(function* <A>(what: string, selector: Selector) {
    const items: Array<A> = []
    let token: string | undefined
    let resourceVersion = ""
    do {
      const page = yield* listPage<A>(what, selector, token)
      items.push(...(page.items ?? []))
      resourceVersion = page.metadata.resourceVersion ?? ""
      token = page.metadata.continue || undefined
    } while (token !== undefined)
    return { items, resourceVersion } satisfies Listed<A>
  })

  const watch = <A>(
    what: string,
    selector: Selector,
    resourceVersion: string,
    timeout: Duration.Duration
  ) => {
    const operation = `watch ${what}`
    const query = {
      watch: 1,
      allowWatchBookmarks: "true",
      ...selector,
      resourceVersion,
      timeoutSeconds: Math.round(Duration.toSeconds(timeout))
    }
    return transport.lines({ operation, method: "GET", path: `${core}/${what.toLowerCase()}`, query }).pipe(
      Stream.filter((line) => line !== ""),
      Stream.mapEffect((line) =>
        Effect.catchDefect(parseFrame<A>(operation, line), () => Effect.fail(unreadable(operation, line)))
      )
    )
  }

  return { list, watch }
}
