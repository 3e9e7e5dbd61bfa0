/** Kubernetes: there, with the rights, the claim, and an API server that takes the Pods of jobs. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type { WorkerConfig } from "../../Config.ts"
import { KubernetesClient } from "../../kubernetes/api/KubernetesClient.ts"
import type { KubernetesError } from "../../kubernetes/api/KubernetesError.ts"
import * as PodSpec from "../../kubernetes/pod/PodSpec.ts"
import { type Check, ok, problem, skipped, type Verdict } from "../Check.ts"
import * as ClockSkew from "./ClockSkew.ts"
import { permissionChecks } from "./Permissions.ts"
import { configMapCheck, nodesCheck } from "./PlacementChecks.ts"
import { type Image, sampleJob } from "./SampleJob.ts"

type Settings = WorkerConfig["Service"]
type Needs = KubernetesClient | WorkerConfig

const SERVER = "kubernetes.server"
const DATE_RESOLUTION = 1000

const judgeClaim = ({ jobs, kubernetes: { namespace } }: Settings) => {
  const { pvcName } = jobs
  const describe = `kubectl -n ${namespace} describe pvc ${pvcName}`
  return Effect.flatMap(KubernetesClient, ({ readClaim }) => readClaim(pvcName)).pipe(
    Effect.map(({ status, spec }): Verdict => {
      const phase = status?.phase ?? "unknown"
      return phase === "Bound"
        ? ok(`claim ${pvcName} is Bound (${(spec?.accessModes ?? []).join(", ")})`)
        : problem(
            `claim ${pvcName} in namespace ${namespace} is ${phase}, not Bound`,
            `${describe}   shows why; mostly a StorageClass or a PersistentVolume is missing`
          )
    }),
    Effect.catch((error: KubernetesError) => {
      if (error.isNotFound)
        return Effect.succeed(
          problem(
            `there is no claim ${pvcName} in namespace ${namespace}`,
            `Set OLAKE_STORAGE_PVC_NAME to one of: kubectl -n ${namespace} get pvc`
          )
        )
      return error.status === 403
        ? Effect.succeed(skipped(`may not read the claim ${pvcName} (the worker itself need not)`, describe))
        : Effect.fail(error)
    })
  )
}

const podFix = ({ kubernetes: { namespace }, jobs }: Settings, { detail, isNotFound }: KubernetesError) => {
  if (isNotFound && detail.includes("namespaces"))
    return `Set WORKER_NAMESPACE to the jobs' namespace, or: kubectl create namespace ${namespace}`
  if (detail.includes("serviceaccount"))
    return `Set JOB_SERVICE_ACCOUNT_NAME, or: kubectl -n ${namespace} create serviceaccount ${jobs.serviceAccountName ?? "default"}`
  if (detail.includes("exceeded quota"))
    return `kubectl -n ${namespace} describe resourcequota   shows what is used; raise it, or lower JOB_CPU_REQUEST and JOB_MEMORY_REQUEST`
  if (detail.includes("violates PodSecurity"))
    return `Set POD_SECURITY_CONTEXT as the message says, or: kubectl label namespace ${namespace} --overwrite pod-security.kubernetes.io/enforce=baseline`
  return `kubectl get events -n ${namespace}; the message says what the API server refuses`
}

/** The Pod of a job, shown to the API server, which says whether it would take it: quotas, accounts, policies. */
const judgePod = Effect.fnUntraced(function* (settings: Settings, image: Image) {
  const { tryPod, namespace } = yield* KubernetesClient
  const { jobs, kubernetes } = settings
  const pod = PodSpec.build(sampleJob(image, "olake-doctor"), {
    namespace,
    workerPod: kubernetes.podName,
    jobs,
    rules: jobs,
    secretKey: "none",
    ownSecretName: "",
    marksExit: false,
    telemetryDisabled: false,
    now: DateTime.formatIso(yield* DateTime.now)
  })
  return yield* tryPod(pod).pipe(
    Effect.as(ok(`the API server would take the Pod of a job in namespace ${namespace}`)),
    Effect.catch((error) =>
      error.isTransient ? Effect.fail(error) : Effect.succeed(problem(error.message, podFix(settings, error)))
    )
  )
})

export const kubernetesChecks = (settings: Settings, image: Image): ReadonlyArray<Check<Needs>> => {
  const { namespace } = settings.kubernetes
  return [
    {
      name: SERVER,
      run: Effect.gen(function* () {
        const { server, whoAmI } = yield* KubernetesClient
        const { version } = yield* server
        const user = yield* whoAmI
        return ok(`Kubernetes ${version} answers${user === undefined ? "" : ` ${user}`}`)
      }),
      remedy:
        "Run it in the cluster with a ServiceAccount, or set KUBECONFIG to a kubeconfig file with which this works: kubectl cluster-info"
    },
    ...permissionChecks(settings, SERVER),
    {
      name: "kubernetes.claim",
      needs: SERVER,
      run: judgeClaim(settings),
      remedy: `kubectl -n ${namespace} get pvc ${settings.jobs.pvcName}`
    },
    {
      name: "kubernetes.pod",
      needs: "kubernetes.permission.create-pods",
      run: judgePod(settings, image),
      remedy: `kubectl -n ${namespace} get events`
    },
    configMapCheck(settings, SERVER),
    nodesCheck(settings, SERVER),
    {
      name: "kubernetes.clock",
      needs: SERVER,
      run: Effect.gen(function* () {
        const { server } = yield* KubernetesClient
        const read = Effect.map(server, ({ date }) => date)
        return yield* ClockSkew.compare("the API server's", read, DATE_RESOLUTION)
      }),
      remedy: "kubectl get --raw /version"
    }
  ]
}
