/** Settings of the Pods that jobs run in. */
import * as K from "./Setting.ts"
import { optional, withDefault } from "./Setting.ts"
import { parseMapping } from "./JobMapping.ts"
import { parseProfiles } from "./JobProfiles.ts"

const profiles = { expects: "a JSON object of job id to scheduling profile", parse: parseProfiles }
const mapping = { expects: "a JSON object of job id to node labels", parse: parseMapping }

export const jobSettings = {
  pvcName: withDefault(
    "OLAKE_STORAGE_PVC_NAME",
    K.name,
    "olake-shared-storage",
    "PersistentVolumeClaim that jobs mount"
  ),
  serviceAccountName: optional(
    "JOB_SERVICE_ACCOUNT_NAME",
    K.name,
    "ServiceAccount of the jobs' Pods; without one they get no token"
  ),
  mapping: optional(
    "OLAKE_JOB_MAPPING",
    mapping,
    'Node labels by job id, as JSON: `{"123":{"node-type":"gpu"}}`'
  ),
  profiles: optional(
    "OLAKE_JOB_PROFILES",
    profiles,
    'Node selector, tolerations and affinity by job id, as JSON: `{"0":{"tolerations":[{"operator":"Exists"}]}}`'
  ),
  keepUnmappedAway: withDefault(
    "OLAKE_KEEP_UNMAPPED_AWAY",
    K.flag,
    "false",
    "Whether syncs without an entry in OLAKE_JOB_MAPPING stay away from the nodes that it names"
  ),
  rulesConfigMap: withDefault(
    "OLAKE_CONFIGMAP_NAME",
    K.name,
    "olake-workers-config",
    "ConfigMap whose OLAKE_JOB_MAPPING and OLAKE_JOB_PROFILES take effect while the worker runs"
  ),
  registryBase: withDefault(
    "CONTAINER_REGISTRY_BASE",
    K.text,
    "registry-1.docker.io",
    "Registry of the connectors' images"
  ),
  imagePullPolicy: withDefault(
    "IMAGE_PULL_POLICY",
    K.oneOf("IfNotPresent", "Always", "Never"),
    "IfNotPresent",
    "When a connector's image is pulled"
  ),
  imagePullSecrets: withDefault(
    "IMAGE_PULL_SECRETS",
    K.list,
    "",
    "Secrets for the registry, comma separated"
  ),
  cpuRequest: withDefault("JOB_CPU_REQUEST", K.quantity, "100m", "CPU requested for a connector"),
  memoryRequest: withDefault("JOB_MEMORY_REQUEST", K.quantity, "256Mi", "Memory requested for a connector"),
  cpuLimit: optional("JOB_CPU_LIMIT", K.quantity, "CPU limit of a connector; none where unset"),
  memoryLimit: optional("JOB_MEMORY_LIMIT", K.quantity, "Memory limit of a connector; none where unset"),
  podSecurityContext: optional(
    "POD_SECURITY_CONTEXT",
    K.jsonObject,
    'Security context of the jobs\' Pods, as JSON: `{"runAsUser":1000,"fsGroup":1000}`'
  ),
  podAnnotations: optional(
    "OLAKE_JOB_POD_ANNOTATIONS",
    K.annotations,
    "Annotations of the jobs' Pods, as a JSON object of texts; `olake.io/` ones stay ours"
  ),
  exitMarker: withDefault(
    "JOB_EXIT_MARKER",
    K.flag,
    "true",
    "Whether a shell around a sync's connector notes how it ended; images without `/bin/sh` run without"
  ),
  storageProbe: withDefault(
    "JOB_STORAGE_PROBE",
    K.flag,
    "false",
    "Whether a sync's Pod is killed when it cannot write to its volume for 90 s; needs `/bin/sh` in the image"
  ),
  secretKey: optional(
    "OLAKE_SECRET_KEY",
    K.secret,
    "Key that OLake's UI encrypts configs with, or the ARN of one in AWS KMS"
  ),
  kmsEndpoint: optional("OLAKE_KMS_ENDPOINT", K.url, "Endpoint of AWS KMS, where it is not the region's own"),
  secretName: optional(
    "OLAKE_SECRET_NAME",
    K.name,
    "Existing Secret that holds the same key, for jobs to refer to"
  ),
  secretNameKey: withDefault(
    "OLAKE_SECRET_NAME_KEY",
    K.secretKeyName,
    "OLAKE_SECRET_KEY",
    "Key inside that Secret"
  ),
  terminationGrace: withDefault(
    "JOB_TERMINATION_GRACE_PERIOD",
    K.duration,
    "60s",
    "Time a connector gets to save its state when stopped"
  )
}
