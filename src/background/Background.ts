/** What the worker does besides the activities, for as long as it runs. */
import * as Effect from "effect/Effect"
import * as LeftCredentials from "./LeftCredentials.ts"
import * as OldRuns from "./OldRuns.ts"
import * as OrphanedPods from "./OrphanedPods.ts"
import * as Sampling from "./Sampling.ts"
import * as Takeover from "./Takeover.ts"

/** Starts all of it as children of the caller, which do not depend on each other. */
export const start = Effect.all(
  [
    Effect.forkChild(OldRuns.run),
    Effect.forkChild(LeftCredentials.run),
    Effect.forkChild(Takeover.run),
    Effect.forkChild(OrphanedPods.run),
    Effect.forkChild(Sampling.run)
  ],
  { discard: true }
)
