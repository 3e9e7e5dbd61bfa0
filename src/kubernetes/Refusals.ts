/** How long the API server has refused each run's Pod. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { isWriter, type JobIdentity } from "../olake/Job.ts"
import type { KubernetesError } from "./api/KubernetesError.ts"
import { PodRefused } from "./PodRunnerErrors.ts"
import { keyOf } from "./pod/PodIdentity.ts"

const PATIENCE = Duration.minutes(5)
/** A quota frees itself when other Pods end. */
const QUOTA_PATIENCE = Duration.minutes(60)
/** Longer than Temporal waits between two attempts: nobody asks for such a Pod any more. */
const FORGOTTEN = Duration.toMillis(QUOTA_PATIENCE)

/** Kept in memory: a worker that starts anew counts from the first refusal it meets itself. */
export const make = () => {
  const seen = new Map<string, { readonly first: number; last: number }>()
  return {
    /** The refusal itself while it may pass, and a final error once it has lasted too long. */
    met: (
      job: JobIdentity,
      name: string,
      refusal: KubernetesError
    ): Effect.Effect<KubernetesError | PodRefused> =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        if (!refusal.isRetryable) return refusal
        for (const [key, { last }] of seen) if (now - last >= FORGOTTEN) seen.delete(key)
        const key = keyOf(job.run, job.operation)
        const { first } = seen.get(key) ?? { first: now }
        seen.set(key, { first, last: now })
        const isQuota = refusal.detail.includes("exceeded quota")
        const patience = isQuota && isWriter(job.operation) ? QUOTA_PATIENCE : PATIENCE
        const waited = now - first
        if (waited < Duration.toMillis(patience)) return refusal
        seen.delete(key)
        return new PodRefused({
          pod: name,
          reason: refusal.message,
          minutes: Math.floor(waited / 60_000)
        })
      }),
    /** The Pod was made: a later refusal is a first one again. */
    over: (job: JobIdentity): Effect.Effect<void> =>
      Effect.sync(() => seen.delete(keyOf(job.run, job.operation)))
  }
}
