/** Sets of values as installations have them, and such that are refused. */
import { loadYaml } from "@kubernetes/client-node"
import { readFileSync } from "node:fs"
import * as path from "node:path"
import { CHART, type Values } from "../support/Helm.ts"

export const minimal = {
  temporal: { address: "temporal:7233" },
  database: { host: "postgresql", user: "olake", password: "p" }
}

/** As helm/README.md has it. */
export const besideOlakesChart = (): Values => {
  const readme = readFileSync(path.join(CHART, "README.md"), "utf8")
  const [, block = ""] = /```yaml\n(fullnameOverride: [\s\S]*?)```/.exec(readme) ?? []
  return loadYaml(block)
}

const toleration = { key: "spot", operator: "Exists", effect: "NoSchedule" }
const nodeAffinity = {
  requiredDuringSchedulingIgnoredDuringExecution: {
    nodeSelectorTerms: [{ matchExpressions: [{ key: "gpu", operator: "In", values: ["true"] }] }]
  }
}

/** Every setting of the worker that has a value. */
export const everything: Values = {
  fullnameOverride: "sync-workers",
  replicas: 3,
  commonLabels: { team: "data" },
  image: {
    registry: "registry.example.com/",
    repository: "mirror/olake-workers",
    digest: `sha256:${"0".repeat(64)}`,
    pullPolicy: "Always",
    pullSecrets: [{ name: "registry" }]
  },
  temporal: {
    address: "acme.tmprl.cloud:7233",
    namespace: "acme",
    taskQueue: "olake",
    external: true,
    retentionPeriod: "168h",
    apiKey: { existingSecret: "temporal", existingSecretKey: "key" },
    tls: {
      enabled: true,
      serverName: "temporal.example.com",
      existingSecret: "temporal-tls",
      caKey: "ca.crt",
      certKey: "tls.crt",
      keyKey: "tls.key"
    }
  },
  database: {
    port: 6432,
    sslMode: "verify-full",
    runMode: "production",
    maxConnections: 5,
    connectionMaxLifetime: "5m",
    existingSecret: "database",
    secretKeys: { host: "host", user: "user", password: "password" },
    caSecret: "database-ca"
  },
  encryption: { existingSecret: "encryption", kmsEndpoint: "https://kms.example.com" },
  storage: { storageClass: "efs", size: "100Gi", keep: false },
  worker: {
    logRetentionDays: 30,
    callbackUrl: "http://olake-ui:8000/internal/worker/callback",
    telemetryDisabled: true,
    logFormat: "console"
  },
  jobs: {
    pullSecrets: [{ name: "one" }, { name: "two" }],
    resources: { requests: { cpu: 1, memory: "1Gi" }, limits: { cpu: "2", memory: "2Gi" } },
    nodeSelector: { pool: "syncs" },
    tolerations: [toleration],
    profiles: { "7": { affinity: { nodeAffinity } } },
    mapping: { "8": { "node-type": "gpu" } },
    keepUnmappedAway: true,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 },
    podAnnotations: { "sidecar.istio.io/inject": "false" },
    env: { OLAKE_TIMING: "true", THREADS: 4 },
    storageProbe: true,
    serviceAccount: { annotations: { "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/olake" } }
  },
  serviceAccount: { annotations: { "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/worker" } },
  podAnnotations: { "prometheus.io/scrape": "true" },
  podLabels: { tier: "backend" },
  nodeSelector: { "kubernetes.io/os": "linux" },
  tolerations: [toleration],
  affinity: { nodeAffinity },
  priorityClassName: "system-cluster-critical",
  extraEnv: [{ name: "AWS_REGION", value: "eu-west-1" }],
  extraEnvFrom: [{ secretRef: { name: "more", optional: true } }],
  extraVolumes: [{ name: "more", emptyDir: {} }],
  extraVolumeMounts: [{ name: "more", mountPath: "/more" }],
  networkPolicy: {
    enabled: true,
    healthFrom: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } }],
    extraEgress: [{ ports: [{ port: 8443, protocol: "TCP" }] }]
  },
  monitoring: {
    serviceMonitor: { enabled: true, labels: { release: "prometheus" } },
    prometheusRule: { enabled: true },
    dashboard: { enabled: true }
  }
}

export const valid: Readonly<Record<string, () => Values>> = {
  "what is required": () => minimal,
  everything: () => everything,
  "beside OLake's own chart": besideOlakesChart,
  "one worker": () => ({ ...minimal, replicas: 1 }),
  "a claim that is there": () => ({ ...minimal, storage: { existingClaim: "olake" } }),
  "an NFS server": () => ({ ...minimal, storage: { nfs: { server: "10.0.0.9", path: "/olake" } } }),
  "a volume made by hand": () => ({
    ...minimal,
    storage: { volumeName: "olake", storageClass: "", accessModes: ["ReadWriteOnce"] }
  }),
  "secrets among the values": () => ({
    ...minimal,
    encryption: { key: "key" },
    temporal: { address: "[fd00::1]:7233", apiKey: { value: "key" }, tls: { enabled: false } }
  }),
  "a Secret with the password only": () => ({
    temporal: minimal.temporal,
    database: { host: "postgresql", user: "olake", existingSecret: "database" }
  }),
  "accounts and rights of others": () => ({
    ...minimal,
    serviceAccount: { create: false, name: "mine" },
    rbac: { create: false },
    jobs: { serviceAccount: { create: false } }
  }),
  "fewer rights": () => ({ ...minimal, rbac: { createSecrets: false, followConfigMap: false } }),
  "a network policy": () => ({ ...minimal, networkPolicy: { enabled: true } }),
  "as root, beside a UI that is": () => ({
    ...minimal,
    podSecurityContext: { runAsNonRoot: false, runAsUser: 0, runAsGroup: 0 }
  }),
  "a default profile of one's own": () => ({
    ...minimal,
    jobs: { nodeSelector: { pool: "a" }, profiles: { "0": { nodeSelector: { pool: "b" } } } }
  }),
  "jobs without limits and accounts, of another registry": () => ({
    ...minimal,
    jobs: { registry: "registry.example.com", resources: {}, serviceAccount: { create: false } }
  })
}

/** What is wrong, and what is said of it. */
export const invalid: Readonly<Record<string, readonly [Values, string]>> = {
  nothing: [{}, "temporal.address: set it to Temporal's frontend, host:port"],
  "no database": [{ temporal: minimal.temporal }, "database.host: set it, or database.existingSecret"],
  "a name with a slip": [{ ...minimal, storge: {} }, "additional properties 'storge' not allowed"],
  "a name below with a slip": [
    { ...minimal, jobs: { resource: {} } },
    "at '/jobs': additional properties 'resource' not allowed"
  ],
  "a text for a number": [{ ...minimal, replicas: "two" }, "at '/replicas': got string, want integer"],
  "a URL for an address": [
    { ...minimal, temporal: { address: "http://temporal" } },
    `temporal.address: expected host:port, got "http://temporal"`
  ],
  "a port that is none": [
    { ...minimal, database: { ...minimal.database, port: 70_000 } },
    "at '/database/port': maximum: got 70,000, want 65,535"
  ],
  "days for a duration": [
    { ...minimal, worker: { timeouts: { sync: "30d" } } },
    `worker.timeouts.sync: expected a duration such as 2h45m, got "30d"`
  ],
  "a quantity that is none": [
    { ...minimal, jobs: { resources: { limits: { memory: "2 GB" } } } },
    `jobs.resources.limits.memory: expected a Kubernetes quantity such as 250m or 512Mi, got "2 GB"`
  ],
  "a policy that is none": [
    { ...minimal, image: { pullPolicy: "Sometimes" } },
    "at '/image/pullPolicy': value must be one of 'IfNotPresent', 'Always', 'Never'"
  ],
  "a job's name for its id": [
    { ...minimal, jobs: { profiles: { orders: {} } } },
    "at '/jobs/profiles': additional properties 'orders' not allowed"
  ],
  "a profile with more than placement": [
    { ...minimal, jobs: { profiles: { "7": { resources: {} } } } },
    "at '/jobs/profiles/7': additional properties 'resources' not allowed"
  ],
  "two keys": [
    { ...minimal, encryption: { key: "a", existingSecret: "b" } },
    "encryption: set key or existingSecret, not both"
  ],
  "half of a certificate": [
    { ...minimal, temporal: { address: "t:1", tls: { existingSecret: "a", certKey: "tls.crt" } } },
    "temporal.tls: certKey and keyKey belong together"
  ],
  "a queue that would not count": [
    { ...minimal, temporal: { address: "t:1", taskQueue: "q" }, worker: { callbackUrl: "http://ui" } },
    "with worker.callbackUrl, temporal.namespace and temporal.taskQueue count only where this is true"
  ],
  "two storages": [
    { ...minimal, storage: { existingClaim: "a", nfs: { server: "b" } } },
    "storage: set existingClaim or nfs.server, not both"
  ],
  "too little time to stop": [
    { ...minimal, terminationGracePeriodSeconds: 10 },
    "at '/terminationGracePeriodSeconds': minimum: got 10, want 45"
  ]
}
