/** Every setting of the worker. README's table and the chart's values are compared with this by test. */
import * as K from "./Setting.ts"
import { optional, required, withDefault } from "./Setting.ts"
import { jobSettings } from "./jobSettings.ts"

const logLevel = K.oneOf("trace", "debug", "info", "warn", "error", "fatal")

export const settings = {
  temporal: {
    address: required("TEMPORAL_HOST_PORT", K.hostAndPort, "Temporal's frontend", {
      aliases: ["TEMPORAL_ADDRESS"]
    }),
    namespace: required("TEMPORAL_NAMESPACE", K.text, "Temporal's namespace"),
    taskQueue: required("TEMPORAL_TASK_QUEUE", K.text, "Task queue that OLake's UI uses"),
    external: withDefault(
      "TEMPORAL_EXTERNAL",
      K.flag,
      "false",
      "Whether others run Temporal: its namespace's retention is then left alone unless TEMPORAL_RETENTION_PERIOD is set"
    ),
    apiKey: optional("TEMPORAL_API_KEY", K.secret, "API key for Temporal, such as Temporal Cloud's"),
    tls: optional(
      "TEMPORAL_ENABLE_TLS",
      K.flag,
      "TLS to Temporal; where unset, used with an API key or any of the four settings below"
    ),
    clientCert: optional("TEMPORAL_TLS_CLIENT_CERT_PATH", K.absolutePath, "Certificate file for mutual TLS"),
    clientKey: optional("TEMPORAL_TLS_CLIENT_KEY_PATH", K.absolutePath, "Key file of that certificate"),
    serverCa: optional(
      "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
      K.absolutePath,
      "CA certificate file of Temporal's server; the system's roots where unset"
    ),
    serverName: optional(
      "TEMPORAL_TLS_SERVER_NAME",
      K.text,
      "Name in the certificate of Temporal's server, where it is not the address's"
    ),
    retention: optional(
      "TEMPORAL_RETENTION_PERIOD",
      K.duration,
      "How long Temporal keeps closed runs; set at the start, where the namespace may be changed"
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
  jobs: jobSettings,
  storage: {
    path: withDefault(
      "SHARED_STORAGE_PATH",
      K.absolutePath,
      "/data/olake-jobs",
      "Where the shared volume is mounted in the worker"
    ),
    logRetention: optional(
      "LOG_RETENTION_PERIOD",
      K.whole(1, 36_500),
      "Days after which the directories of finished runs are removed; never where unset"
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
      "Discovers, tests and the like at a time"
    ),
    workflows: withDefault("MAX_CONCURRENT_WORKFLOWS", K.whole(1, 10_000), "10", "Workflow tasks at a time"),
    syncs: withDefault(
      "MAX_CONCURRENT_SYNCS",
      K.whole(1, 10_000),
      "1000",
      "Syncs waited for or saved at a time, besides those"
    )
  },
  callback: {
    url: optional(
      "OLAKE_CALLBACK_URL",
      K.url,
      "Where OLake's UI hears of syncs; set, it also tells of the chart of olake-helm, see above"
    ),
    telemetryDisabled: withDefault(
      "TELEMETRY_DISABLED",
      K.flag,
      "false",
      "Disable telemetry: the worker sends no event, writes no `telemetry.json`, and tells connectors to send none"
    )
  },
  health: {
    port: withDefault("HEALTH_PORT", K.port, "8090", "Port of health, metrics and the page of runs"),
    statusPage: withDefault(
      "OLAKE_STATUS_PAGE",
      K.flag,
      "true",
      "Whether `/jobs` and the page at `/` tell of runs; both are read-only, and whoever reaches the port may read them"
    )
  },
  logging: {
    level: withDefault("LOG_LEVEL", logLevel, "info", "Least level that is logged"),
    format: withDefault("LOG_FORMAT", K.oneOf("json", "console"), "json", "JSON lines, or text for people")
  }
}

/** Of the wider OLake world: read by other parts of an installation, not by this version. */
export const otherKnown: ReadonlyArray<string> = [
  "OLAKE_DOCKER_TASK_QUEUE",
  "OLAKE_K8S_TASK_QUEUE",
  "OLAKE_TIMING",
  "OLAKE_DEBUG_MODE"
]
