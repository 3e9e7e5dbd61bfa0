/** Every setting of the worker. README's table and the chart's values are compared with this by test. */
import * as K from "./Setting.ts"
import { optional, required, withDefault } from "./Setting.ts"
import { parseMapping } from "./JobMapping.ts"

const mapping = { expects: "a JSON object of job id to node labels", parse: parseMapping }
const logLevel = K.oneOf("trace", "debug", "info", "warn", "error", "fatal")

export const settings = {
  temporal: {
    address: required("TEMPORAL_HOST_PORT", K.hostAndPort, "Temporal's frontend", {
      aliases: ["TEMPORAL_ADDRESS"]
    }),
    namespace: required("TEMPORAL_NAMESPACE", K.text, "Temporal's namespace"),
    taskQueue: required(
      "TEMPORAL_TASK_QUEUE",
      K.text,
      "Task queue that OLake's UI uses; syncs wait on `<queue>-syncs`"
    )
  },
  database: {
    host: required("DB_HOST", K.text, "Host of OLake's Postgres"),
    port: required("DB_PORT", K.port, "Port of OLake's Postgres"),
    name: required("DB_NAME", K.text, "Name of the database"),
    user: required("DB_USER", K.text, "Database user"),
    password: required("DB_PASSWORD", K.password, "Database password"),
    sslMode: withDefault(
      "DB_SSLMODE",
      K.oneOf("disable", "require", "verify-ca", "verify-full"),
      "disable",
      "TLS to Postgres, in libpq's words"
    ),
    sslRootCert: optional(
      "DB_SSLROOTCERT",
      K.absolutePath,
      "CA certificate file for verify-ca and verify-full; the system's roots where unset"
    ),
    runMode: withDefault(
      "RUN_MODE",
      K.tablePart,
      "dev",
      "Part of OLake's table names, `olake-<RUN_MODE>-job`; must be the UI's"
    ),
    maxOpenConnections: withDefault(
      "DB_MAX_OPEN_CONNS",
      K.whole(1, 1000),
      "10",
      "Most connections to Postgres"
    ),
    maxIdleConnections: withDefault(
      "DB_MAX_IDLE_CONNS",
      K.whole(0, 1000),
      "2",
      "Accepted as the Go worker has it, without effect: an idle connection is closed after 5 minutes"
    ),
    connectionMaxLifetime: withDefault(
      "DB_CONN_MAX_LIFETIME",
      K.duration,
      "30m",
      "A connection older than this is replaced"
    )
  },
  kubernetes: {
    namespace: withDefault("WORKER_NAMESPACE", K.namespace, "default", "Namespace of the jobs' Pods"),
    kubeconfig: optional(
      "KUBECONFIG",
      K.text,
      "Kubeconfig file; unset in a cluster, where the ServiceAccount counts"
    ),
    podName: withDefault(
      "POD_NAME",
      K.text,
      "",
      "This worker's name in logs and annotations; the host's name where unset"
    )
  },
  jobs: {
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
    secretKey: optional("OLAKE_SECRET_KEY", K.secret, "Key that OLake's UI encrypts configs with"),
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
  },
  storage: {
    path: withDefault(
      "SHARED_STORAGE_PATH",
      K.absolutePath,
      "/data/olake-jobs",
      "Where the shared volume is mounted in the worker"
    )
  },
  timeouts: {
    discover: withDefault("TIMEOUT_ACTIVITY_DISCOVER", K.duration, "2h", "Longest discover"),
    test: withDefault("TIMEOUT_ACTIVITY_TEST", K.duration, "2h", "Longest connection test"),
    sync: withDefault("TIMEOUT_ACTIVITY_SYNC", K.duration, "700h", "Longest sync")
  },
  concurrency: {
    activities: withDefault(
      "MAX_CONCURRENT_ACTIVITIES",
      K.whole(1, 10_000),
      "15",
      "Discovers and tests at a time"
    ),
    workflows: withDefault("MAX_CONCURRENT_WORKFLOWS", K.whole(1, 10_000), "10", "Workflow tasks at a time"),
    syncs: withDefault(
      "MAX_CONCURRENT_SYNCS",
      K.whole(1, 10_000),
      "1000",
      "Syncs waited for or saved at a time, in slots of their own"
    )
  },
  health: { port: withDefault("HEALTH_PORT", K.port, "8090", "Port of health and metrics") },
  logging: {
    level: withDefault("LOG_LEVEL", logLevel, "info", "Least level that is logged"),
    format: withDefault("LOG_FORMAT", K.oneOf("json", "console"), "json", "JSON lines, or text for people")
  }
}

/** Of the wider OLake world: read by other parts of an installation, not by this version. */
export const otherKnown: ReadonlyArray<string> = [
  "OLAKE_CALLBACK_URL",
  "OLAKE_JOB_PROFILES",
  "OLAKE_JOB_POD_ANNOTATIONS",
  "OLAKE_DOCKER_TASK_QUEUE",
  "OLAKE_K8S_TASK_QUEUE",
  "OLAKE_TIMING",
  "OLAKE_DEBUG_MODE"
]
