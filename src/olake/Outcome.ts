/** How a step of a writer's run ended. Without imports, since workflows read it too. */

/** `step`: how people see the step before the one that this outcome is handed to; undefined where it is not known. */
export const outcomes = {
  completed: { step: "succeeded" },
  failed: { step: "failed" },
  cancelled: { step: "cancelled" },
  /** The cluster took the Pod away, and the run goes on with a new one. */
  interrupted: { step: "retrying" },
  /** Workflows of before, and the Go worker's, do not say. */
  unknown: { step: undefined }
} as const

export type Outcome = keyof typeof outcomes

// SAFETY: the keys of the constant above
export const outcomeNames = Object.keys(outcomes) as ReadonlyArray<Outcome>
