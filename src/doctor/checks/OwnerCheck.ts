/** Whether each writer's Pod has a run that ends it: the same rule as the claim's and the sweep's. */
import * as Effect from "effect/Effect"
import type { WorkerConfig } from "../../Config.ts"
import { KubernetesClient } from "../../kubernetes/api/KubernetesClient.ts"
import { type Ownership, ownershipOf } from "../../kubernetes/pod/Ownership.ts"
import { ownerOf, SELECTOR } from "../../kubernetes/pod/PodIdentity.ts"
import { fromPod, hasEnded, type PodView } from "../../kubernetes/pod/PodView.ts"
import { TemporalClient } from "../../temporal/TemporalClient.ts"
import { type Check, ok, skipped, type Verdict, warning } from "../Check.ts"

type Settings = WorkerConfig["Service"]

/** Pods that are named at most. */
const MOST_NAMED = 3

const AT_A_TIME = 10

const named = (pods: ReadonlyArray<PodView>): string =>
  pods
    .slice(0, MOST_NAMED)
    .map((pod) => {
      const { workflowId = "unknown", temporalNamespace = "unknown" } = ownerOf(pod)
      return `${pod.name} (workflow ${workflowId}, Temporal namespace ${temporalNamespace})`
    })
    .join(", ") + (pods.length > MOST_NAMED ? ", and more" : "")

const judge = (
  owned: ReadonlyArray<{ readonly pod: PodView; readonly ownership: Ownership }>,
  namespace: string
): Verdict => {
  const of = (wanted: Ownership) =>
    owned.filter(({ ownership }) => ownership === wanted).map(({ pod }) => pod)
  const foreign = of("foreign")
  if (foreign.length > 0) {
    const [first] = foreign
    return warning(
      `${foreign.length} running Pods of writers are of runs that this Temporal does not know, and block the syncs of their jobs: ${named(foreign)}`,
      `If nothing needs them any more: kubectl -n ${namespace} delete pod ${first?.name}; else TEMPORAL_HOST_PORT and TEMPORAL_NAMESPACE must be those of the worker that made them`
    )
  }
  const over = of("over")
  if (over.length > 0) {
    return warning(
      `${over.length} running Pods of writers are of runs that are over: ${named(over)}`,
      "The worker removes them within 20 minutes and saves what they have reached; see that it runs"
    )
  }
  return ok(`${owned.length} running Pods of writers, all of open runs`)
}

const look = Effect.fnUntraced(function* ({ kubernetes: { namespace }, temporal }: Settings) {
  const kubernetes = yield* KubernetesClient
  const client = yield* TemporalClient
  const { items } = yield* kubernetes.listPods(SELECTOR)
  const pods = items.map((pod) => fromPod(pod)).filter((pod) => ownerOf(pod).isWriter && !hasEnded(pod))
  const owned = yield* Effect.forEach(
    pods,
    Effect.fnUntraced(function* (pod) {
      const { workflowId, runId = "" } = ownerOf(pod)
      const { state } =
        workflowId === undefined ? { state: "unknown" as const } : yield* client.lookAt(workflowId, runId)
      const own = { namespace: temporal.namespace, namespaceId: yield* client.namespaceId }
      return { pod, ownership: ownershipOf(pod, state, own) }
    }),
    { concurrency: AT_A_TIME }
  )
  return judge(owned, namespace)
})

export const ownerCheck = (settings: Settings): Check<TemporalClient | WorkerConfig> => ({
  name: "temporal.pods",
  needs: "temporal.namespace",
  run: look(settings).pipe(
    Effect.provide(KubernetesClient.layer),
    // What is wrong there, the checks of Kubernetes say.
    Effect.catch(({ message }) => Effect.succeed(skipped(`the Pods cannot be listed: ${message}`)))
  ),
  remedy: `kubectl -n ${settings.kubernetes.namespace} get pods -l ${SELECTOR}`
})
