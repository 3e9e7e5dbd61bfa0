/** The worker's own Kubernetes layers against a server that a test scripts, for where its timing counts. */
import { it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { WorkerConfig } from "../../../src/Config.ts"
import { KubernetesClient } from "../../../src/kubernetes/api/KubernetesClient.ts"
import { annotationsOf, labelsOf, nameOf } from "../../../src/kubernetes/pod/PodIdentity.ts"
import type { PodJson } from "../../../src/kubernetes/pod/PodJson.ts"
import { PodRunner } from "../../../src/kubernetes/PodRunner.ts"
import { PodWatch } from "../../../src/kubernetes/PodWatch.ts"
import type { Job } from "../../../src/olake/Job.ts"
import { eventually } from "../Conditions.ts"
import { noRulesLayer } from "../KubeWorld.ts"
import { scriptedApi, type ScriptedPods, scriptedPods } from "./ScriptedApi.ts"
import { testConfig, testConfigLayer } from "../TestConfig.ts"

/** The volume claim of the runs. */
export const CLAIM = testConfig().jobs.pvcName

export const run = { temporalNamespace: "default", taskQueue: "q", workflowId: "w-1", runId: "r-1" }
export const check: Job = {
  operation: "check",
  connector: "postgres",
  version: "v1",
  args: ["check"],
  secretKey: undefined,
  directory: "w-1",
  files: [],
  jobId: 0,
  run,
  temporalNamespaceId: "",
  timeout: Duration.hours(1)
}
export const sync: Job = { ...check, operation: "sync", jobId: 7, timeout: Duration.hours(700) }

type Overrides = NonNullable<Parameters<typeof WorkerConfig.layer>[0]>

/** Client, watch and runner. */
export const scriptedRunner = (kubeconfig: string, over: Overrides = {}) =>
  PodRunner.layer.pipe(
    Layer.provideMerge(PodWatch.layer),
    Layer.provide(noRulesLayer),
    Layer.provideMerge(KubernetesClient.layer),
    Layer.provideMerge(testConfigLayer({ ...over, kubernetes: { kubeconfig } }))
  )

export const scriptedTest = (
  title: string,
  program: (api: ScriptedPods) => Effect.Effect<void, unknown, PodRunner | PodWatch | Scope.Scope>
) =>
  it.live(title, () =>
    Effect.gen(function* () {
      const api = scriptedPods()
      const { kubeconfigPath } = yield* scriptedApi(api.answer)
      yield* Effect.provide(Effect.scoped(program(api)), scriptedRunner(kubeconfigPath))
    }).pipe(Effect.scoped, Effect.timeout("25 seconds"))
  )

/** A running Pod of a job, as this worker makes it. */
export const podOf = (
  job: Job,
  metadata: Partial<PodJson["metadata"]> = {},
  status: PodJson["status"] = { phase: "Running" }
): PodJson => ({
  metadata: {
    name: nameOf(job, CLAIM),
    uid: "uid-first",
    resourceVersion: "5",
    labels: labelsOf(job),
    annotations: annotationsOf(job, "worker-0", undefined, "2026-11-23T17:00:00Z"),
    ...metadata
  },
  spec: { volumes: [{ persistentVolumeClaim: { claimName: CLAIM } }] },
  status
})

/** Asked to go, and not gone yet. */
export const GOING = { deletionTimestamp: "2026-11-23T17:00:30Z", deletionGracePeriodSeconds: 30 }

export const terminated = (exitCode: number, finishedAt?: string): NonNullable<PodJson["status"]> => ({
  phase: exitCode === 0 ? "Succeeded" : "Failed",
  containerStatuses: [
    {
      name: "connector",
      state: {
        terminated: {
          exitCode,
          reason: exitCode === 0 ? "Completed" : "Error",
          ...(finishedAt === undefined ? {} : { finishedAt })
        }
      }
    }
  ]
})

export const creates = (api: ScriptedPods) => api.count("POST", /\/pods\?/)
export const deletes = (api: ScriptedPods) => api.count("DELETE", /\/pods\//)
export const isPodCreate = (method: string, url: string) => method === "POST" && url.includes("/pods?")
export const watching = (api: ScriptedPods) =>
  eventually("the watch is open", () => (api.watched.length > 0 ? true : undefined))

/** The Pod of that name goes away, and the watch tells it. */
export const leave = (api: ScriptedPods, pod: PodJson) => {
  api.pods = api.pods.filter(({ metadata }) => metadata.uid !== pod.metadata.uid)
  const resourceVersion = String(Number(pod.metadata.resourceVersion ?? 0) + 10)
  const metadata = { ...pod.metadata, ...GOING, resourceVersion }
  api.send({ type: "DELETED", object: { ...pod, metadata } })
}

/** As soon as a Pod is known, it ends well. */
export const endWell = (api: ScriptedPods) =>
  Effect.gen(function* () {
    yield* eventually("there is a Pod", () => (api.pods.length > 0 ? true : undefined))
    api.pods = api.pods.map((pod) => Object.assign(structuredClone(pod), { status: terminated(0) }))
    yield* watching(api)
    yield* eventually("its end is heard of", () => {
      const [pod] = api.pods
      if (pod === undefined) return true
      api.send({
        type: "MODIFIED",
        object: { ...pod, metadata: { ...pod.metadata, resourceVersion: "999" } }
      })
      return undefined
    })
  })
