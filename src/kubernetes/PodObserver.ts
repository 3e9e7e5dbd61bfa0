/** Who is told what a Pod that is waited for does, at every change; nobody, unless somebody listens. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Stage } from "./PodVerdict.ts"
import type { PodView } from "./PodView.ts"

export interface PodSighting {
  readonly view: PodView
  readonly stage: Stage
  /** What it waits for. */
  readonly message: string
}

export const PodObserver = Context.Reference<(seen: PodSighting) => Effect.Effect<void>>(
  "olake-worker/kubernetes/PodObserver",
  { defaultValue: () => () => Effect.void }
)
