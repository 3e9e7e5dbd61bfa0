/** One line of a watch. */
import * as Effect from "effect/Effect"
import { KubernetesError } from "./KubernetesError.ts"
import type { PodJson } from "./PodView.ts"

export interface WatchFrame {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"
  readonly object: PodJson
}

export const unreadable = (operation: string, text: string) =>
  new KubernetesError({ operation, status: 0, reason: "UnreadableAnswer", detail: text.slice(0, 200) })

/** Longest line a watch may send; etcd refuses objects of more than 1.5 MiB. */
const MAX_FRAME = 8 * 1024 * 1024

export const parseFrame = Effect.fnUntraced(function* (line: string) {
  if (line.length > MAX_FRAME) return yield* unreadable("watch Pods", `a frame of ${line.length} characters`)
  const frame = yield* Effect.try({
    // SAFETY: see `json` above.
    try: () =>
      JSON.parse(line) as {
        type: string
        object: PodJson & { code?: number; reason?: string; message?: string }
      },
    catch: () => unreadable("watch Pods", line)
  })
  if (frame.type === "ERROR") {
    const { code, reason, message } = frame.object
    return yield* new KubernetesError({
      operation: "watch Pods",
      status: code ?? 500,
      reason: reason ?? "Unknown",
      detail: message ?? ""
    })
  }
  return frame as WatchFrame
})
