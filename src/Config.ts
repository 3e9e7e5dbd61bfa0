import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
export interface Shape {
  temporal: { address: string; namespace: string; taskQueue: string }
  database: { host: string; port: number; name: string; user: string; password: Redacted.Redacted; sslMode: "disable" | "require" | "verify-ca" | "verify-full"; sslRootCert: string | undefined; runMode: string; maxOpenConnections: number; maxIdleConnections: number; connectionMaxLifetime: Duration.Duration }
  kubernetes: { namespace: string; kubeconfig: string | undefined; podName: string }
  jobs: { pvcName: string; serviceAccountName: string | undefined; mapping: ReadonlyMap<number, Readonly<Record<string, string>>>; registryBase: string; imagePullPolicy: "Always" | "IfNotPresent" | "Never"; imagePullSecrets: ReadonlyArray<string>; cpuRequest: string; memoryRequest: string; cpuLimit: string | undefined; memoryLimit: string | undefined; secretKey: Redacted.Redacted | undefined; secretName: string | undefined; secretNameKey: string; terminationGrace: Duration.Duration }
  storage: { path: string }
  timeouts: { discover: Duration.Duration; test: Duration.Duration; sync: Duration.Duration }
  concurrency: { activities: number; workflows: number; syncs: number }
  health: { port: number }
  logging: { level: string; format: "json" | "console" }
  warnings: ReadonlyArray<string>
}
const opt = (n: string) => Config.String(n).pipe(Config.option, Config.map(Option.getOrUndefined))
const def = (n: string, d: string) => Config.String(n).pipe(Config.withDefault(d))
export class WorkerConfig extends Context.Service<WorkerConfig, Shape>()("olake-worker/Config") {
  static readonly layerFromEnv = Layer.effect(WorkerConfig, Effect.gen(function* () {
    return {
      temporal: { address: yield* Config.String("TEMPORAL_HOST_PORT"), namespace: yield* Config.String("TEMPORAL_NAMESPACE"), taskQueue: yield* Config.String("TEMPORAL_TASK_QUEUE") },
      database: { host: yield* Config.String("DB_HOST"), port: yield* Config.Port("DB_PORT"), name: yield* Config.String("DB_NAME"), user: yield* Config.String("DB_USER"), password: yield* Config.Redacted("DB_PASSWORD"), sslMode: "disable" as const, sslRootCert: undefined, runMode: yield* def("RUN_MODE", "dev"), maxOpenConnections: 10, maxIdleConnections: 2, connectionMaxLifetime: Duration.minutes(30) },
      kubernetes: { namespace: yield* def("WORKER_NAMESPACE", "default"), kubeconfig: yield* opt("KUBECONFIG"), podName: yield* def("POD_NAME", "me") },
      jobs: { pvcName: yield* def("OLAKE_STORAGE_PVC_NAME", "olake-shared-storage"), serviceAccountName: undefined, mapping: new Map(), registryBase: "", imagePullPolicy: "IfNotPresent" as const, imagePullSecrets: [], cpuRequest: "100m", memoryRequest: "256Mi", cpuLimit: undefined, memoryLimit: yield* opt("JOB_MEMORY_LIMIT"), secretKey: undefined, secretName: undefined, secretNameKey: "OLAKE_SECRET_KEY", terminationGrace: Duration.seconds(60) },
      storage: { path: yield* def("SHARED_STORAGE_PATH", "/data/olake-jobs") },
      timeouts: { discover: Duration.hours(2), test: Duration.hours(2), sync: Duration.hours(700) },
      concurrency: { activities: 15, workflows: 10, syncs: 1000 }, health: { port: yield* Config.Port("HEALTH_PORT").pipe(Config.withDefault(8090)) }, logging: { level: "info", format: "json" as const }, warnings: []
    }
  }))
}
