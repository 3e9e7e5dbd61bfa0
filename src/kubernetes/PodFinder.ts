/** Finds a run's Pod, in the watch or by asking for its name. */
import * as Effect from "effect/Effect"
import { isLongRunning, type JobIdentity } from "../olake/Job.ts"
import type { KubernetesClient } from "./KubernetesClient.ts"
import { goNameOf, isPodOf } from "./PodAdoption.ts"
import { findByName } from "./PodEnd.ts"
import { nameOf } from "./PodSpec.ts"
import type { PodWatch } from "./PodWatch.ts"

export const make = (kubernetes: KubernetesClient["Service"], watch: PodWatch["Service"]) => {
  /** The one that the Go worker made, under its own name for it. */
  const findGos = (job: JobIdentity) =>
    Effect.map(findByName(kubernetes, goNameOf(job.run.workflowId)), (found) =>
      found !== undefined && isPodOf(found, job) ? found : undefined
    )

  /** This run's Pod: as the watch knows it, or as the API server says now. */
  const findOurs = (job: JobIdentity) =>
    Effect.gen(function* () {
      const known = yield* watch.find((view) => isPodOf(view, job))
      if (known !== undefined) return known
      const found = yield* findByName(kubernetes, nameOf(job))
      if (found !== undefined && isPodOf(found, job)) return found
      return isLongRunning(job.operation) ? yield* findGos(job) : undefined
    })

  return { findOurs, findGos }
}
