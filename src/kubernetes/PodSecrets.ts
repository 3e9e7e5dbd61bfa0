/** Hands a job's encryption key to its Pod in a Secret that goes with the Pod. */
import * as Effect from "effect/Effect"
import type { Job } from "../olake/Job.ts"
import { KubernetesClient } from "./api/KubernetesClient.ts"
import { ownerOf } from "./pod/PodIdentity.ts"
import { ownSecret } from "./pod/PodSpec.ts"
import { hasStarted, type PodView } from "./pod/PodView.ts"

/** Whether the Pod waits for a Secret of its own that its maker may not have made: it may have ended in between. */
export const lacksSecret = (pod: PodView): boolean =>
  !hasStarted(pod) && ownerOf(pod).secretName !== undefined

export const make = Effect.gen(function* () {
  const kubernetes = yield* KubernetesClient
  /** Only an answer is remembered, and only until a Secret is refused. */
  let allowed: boolean | undefined
  const mayCreate = Effect.suspend(() =>
    allowed === undefined
      ? kubernetes.mayI("create", "secrets").pipe(
          Effect.tap((answer) => Effect.sync(() => void (allowed = answer))),
          Effect.orElseSucceed(() => true)
        )
      : Effect.succeed(allowed)
  )

  /**
   * After the Pod, so that the Secret can name it as owner; the kubelet waits for it. Where it is refused, the Pod
   * fails by itself with the kubelet's words (CreateContainerConfigError).
   */
  const give = (job: Job, pod: PodView) => {
    const { secretName: name } = ownerOf(pod)
    if (name === undefined) return Effect.void
    return kubernetes.createSecret(ownSecret(job, name, pod, kubernetes.namespace)).pipe(
      Effect.catchIf(
        (error) => error.alreadyExists,
        () => Effect.void
      ),
      Effect.catchIf(
        (error) => !error.isTransient,
        (error) => {
          allowed = undefined
          return Effect.logWarning(`the Pod's Secret was refused: ${error.message}`)
        }
      )
    )
  }

  return { mayCreate, give }
})
