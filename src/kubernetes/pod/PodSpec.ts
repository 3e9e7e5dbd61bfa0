/** From a job to its Pod: name, labels, image, mounts. Pure; the clock is an input. */
import type { V1EnvVar, V1Pod, V1PodSpec, V1ResourceRequirements, V1Secret } from "@kubernetes/client-node"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import type { WorkerConfig } from "../../Config.ts"
import { SECRET_KEY_VARIABLE } from "../../olake/Connector.ts"
import { markingCommand, POD_UID_VARIABLE } from "../../olake/ExitMarker.ts"
import { isWriter, type Job } from "../../olake/Job.ts"
import { MOUNT_PATH, SHARED_MOUNT_PATH } from "../../olake/Workdir.ts"
import { annotationsOf, keyOf, labelsOf, nameOf, secretMetadata } from "./PodIdentity.ts"
import { placementOf, type Rules } from "./PodPlacement.ts"
import { MAIN_CONTAINER } from "./PodView.ts"

type Jobs = WorkerConfig["Service"]["jobs"]

const VOLUME = "job-storage"

/** The image of that name, in the registry of the installation. */
export const inRegistry = (repository: string, registryBase: string): string => {
  const base = registryBase.replace(/\/+$/, "")
  return base === "" || base === "registry-1.docker.io" ? repository : `${base}/${repository}`
}

export const imageOf = (job: Pick<Job, "connector" | "version">, registryBase: string): string =>
  inRegistry(`olakego/source-${job.connector}:${job.version}`, registryBase)

export const pullSecretsOf = ({ imagePullSecrets }: Pick<Jobs, "imagePullSecrets">): Partial<V1PodSpec> =>
  imagePullSecrets.length === 0 ? {} : { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) }

/** A variable's value that the kubelet takes as it is: `$(NAME)` stands for another variable otherwise. */
export const unexpanded = (value: string): string => value.replaceAll("$(", "$$$$(")

/** How the encryption key reaches the container. */
export type SecretKeySource = "none" | "namedSecret" | "ownSecret" | "literal"

export const secretKeySource = (job: Job, jobs: Jobs, mayCreateSecrets: boolean): SecretKeySource => {
  if (job.secretKey === undefined) return "none"
  const isConfigured =
    jobs.secretKey !== undefined && Redacted.value(jobs.secretKey) === Redacted.value(job.secretKey)
  if (jobs.secretName !== undefined && isConfigured) return "namedSecret"
  return mayCreateSecrets ? "ownSecret" : "literal"
}

const secretKeyVariable = (job: Job, jobs: Jobs, source: SecretKeySource, ownName: string): V1EnvVar => {
  const name = SECRET_KEY_VARIABLE
  switch (source) {
    case "none":
      return { name, value: "" }
    case "namedSecret":
      return { name, valueFrom: { secretKeyRef: { name: jobs.secretName ?? "", key: jobs.secretNameKey } } }
    case "ownSecret":
      return { name, valueFrom: { secretKeyRef: { name: ownName, key: name } } }
    case "literal":
      return { name, value: job.secretKey === undefined ? "" : Redacted.value(job.secretKey) }
  }
}

/** The Secret of one Pod, gone with it. */
export const ownSecret = (
  job: Job,
  name: string,
  owner: { readonly name: string; readonly uid: string },
  namespace: string
): V1Secret => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: secretMetadata(job, name, owner, namespace),
  immutable: true,
  type: "Opaque",
  stringData: { [SECRET_KEY_VARIABLE]: job.secretKey === undefined ? "" : Redacted.value(job.secretKey) }
})

const resourcesOf = (jobs: Jobs): V1ResourceRequirements => {
  const limits = {
    ...(jobs.cpuLimit === undefined ? {} : { cpu: jobs.cpuLimit }),
    ...(jobs.memoryLimit === undefined ? {} : { memory: jobs.memoryLimit })
  }
  return {
    requests: { cpu: jobs.cpuRequest, memory: jobs.memoryRequest },
    ...(Object.keys(limits).length === 0 ? {} : { limits })
  }
}

const podUid: V1EnvVar = { name: POD_UID_VARIABLE, valueFrom: { fieldRef: { fieldPath: "metadata.uid" } } }

const GLOBAL_ENV = "olake-global-env"

/** Ends a connector whose volume has gone stale (NFS), as the Go worker's Pods have it. */
const storageProbe = {
  exec: { command: ["/bin/sh", "-c", `echo ok > ${MOUNT_PATH}/.healthcheck`] },
  initialDelaySeconds: 10,
  periodSeconds: 30,
  timeoutSeconds: 5,
  failureThreshold: 3
}

export interface PodContext {
  readonly namespace: string
  /** The worker's own Pod, for the record. */
  readonly workerPod: string
  readonly jobs: Jobs
  readonly rules: Rules
  readonly secretKey: SecretKeySource
  /** Name of the Pod's own Secret; no two Pods may share one, or the end of the first takes the second's away. */
  readonly ownSecretName: string
  /** Whether a shell notes how the connector ends. */
  readonly marksExit: boolean
  /** Whether the connector must send none of its own either. */
  readonly telemetryDisabled: boolean
  /** RFC 3339. */
  readonly now: string
}

export const build = (
  job: Job,
  {
    namespace,
    workerPod,
    jobs,
    rules,
    secretKey,
    ownSecretName,
    marksExit,
    telemetryDisabled,
    now
  }: PodContext
): V1Pod => {
  const mount = (mountPath: string) => ({ name: VOLUME, mountPath, subPath: job.directory })
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: nameOf(job, jobs.pvcName),
      namespace,
      labels: labelsOf(job),
      annotations: {
        ...jobs.podAnnotations,
        ...annotationsOf(job, workerPod, secretKey === "ownSecret" ? ownSecretName : undefined, now),
        ...(isWriter(job.operation)
          ? {
              "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
              "karpenter.sh/do-not-disrupt": "true"
            }
          : {})
      }
    },
    spec: {
      restartPolicy: "Never",
      // The only clock that outlives the worker.
      activeDeadlineSeconds: Math.max(1, Math.ceil(Duration.toSeconds(job.timeout))),
      terminationGracePeriodSeconds: Math.ceil(Duration.toSeconds(jobs.terminationGrace)),
      enableServiceLinks: false,
      ...(jobs.serviceAccountName === undefined
        ? { automountServiceAccountToken: false }
        : { serviceAccountName: jobs.serviceAccountName }),
      ...pullSecretsOf(jobs),
      securityContext: { seccompProfile: { type: "RuntimeDefault" }, ...jobs.podSecurityContext },
      ...placementOf(job, rules),
      containers: [
        {
          name: MAIN_CONTAINER,
          image: imageOf(job, jobs.registryBase),
          imagePullPolicy: jobs.imagePullPolicy,
          ...(marksExit ? { command: [...markingCommand(keyOf(job.run, job.operation))] } : {}),
          args: [...job.args],
          env: [
            ...(marksExit ? [podUid] : []),
            { name: "OLAKE_WORKFLOW_ID", value: unexpanded(job.run.workflowId) },
            secretKeyVariable(job, jobs, secretKey, ownSecretName),
            ...(telemetryDisabled ? [{ name: "TELEMETRY_DISABLED", value: "true" }] : [])
          ],
          // The chart's, for all connectors; it may hold OLAKE_SECRET_KEY too, which the one above hides.
          envFrom: [{ configMapRef: { name: GLOBAL_ENV, optional: true } }],
          ...(jobs.storageProbe && isWriter(job.operation) ? { livenessProbe: storageProbe } : {}),
          resources: resourcesOf(jobs),
          securityContext: {
            allowPrivilegeEscalation: false,
            // Root needs its capabilities to write what others own; who is not root has no use of any.
            ...(jobs.podSecurityContext?.["runAsNonRoot"] === true ? { capabilities: { drop: ["ALL"] } } : {})
          },
          terminationMessagePolicy: "FallbackToLogsOnError",
          volumeMounts: [mount(MOUNT_PATH), mount(SHARED_MOUNT_PATH)]
        }
      ],
      volumes: [{ name: VOLUME, persistentVolumeClaim: { claimName: jobs.pvcName } }]
    }
  }
}
