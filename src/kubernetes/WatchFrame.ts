/** One line of a watch. */
import * as Effect from "effect/Effect"
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
export const parseFrame = Effect.fnUntraced(function* <A>(operation: string, line: string) {
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
