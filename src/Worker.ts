/** The assembly: what the worker is made of, and its main program. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Activities from "./activity/Activities.ts"
import { Drain } from "./activity/Boundary.ts"
import * as Background from "./background/Background.ts"
import { WorkerConfig } from "./Config.ts"
import * as Database from "./database/Database.ts"
import { Decryption } from "./database/Decryption.ts"
import { Jobs } from "./database/Jobs.ts"
import { Projects } from "./database/Projects.ts"
import { KubernetesClient } from "./kubernetes/api/KubernetesClient.ts"
import { PodRunner } from "./kubernetes/PodRunner.ts"
import { PodWatch } from "./kubernetes/PodWatch.ts"
import { SchedulingRules } from "./kubernetes/SchedulingRules.ts"
import { SyncTelemetry } from "./notification/SyncTelemetry.ts"
import { Webhook } from "./notification/Webhook.ts"
import { RunRegistry } from "./status/RunRegistry.ts"
import { SharedStorage } from "./storage/SharedStorage.ts"
import { TemporalClient } from "./temporal/TemporalClient.ts"
import { TemporalRuntime } from "./temporal/TemporalRuntime.ts"
import * as TemporalWorker from "./temporal/TemporalWorker.ts"

/** `starting` until Temporal hands out tasks to it. */
export type WorkerStatus = "starting" | "running" | "draining" | "failed"

export class Worker extends Context.Service<
  Worker,
  {
    /** The main program: waits for Temporal, works until interrupted, then drains. Fails if Temporal's worker stops. */
    readonly run: Effect.Effect<never, TemporalWorker.WorkerStopped>
    readonly status: Effect.Effect<WorkerStatus>
  }
>()("olake-worker/Worker") {
  /** Open: the host gives config, database (SqlClient), storage, Kubernetes and Temporal. */
  static readonly layerOpen = Layer.effect(
    Worker,
    Effect.gen(function* () {
      const activities = yield* Activities.make
      const services = yield* Effect.context<
        | Jobs
        | KubernetesClient
        | PodRunner
        | PodWatch
        | RunRegistry
        | SharedStorage
        | TemporalClient
        | WorkerConfig
      >()
      const drain = yield* Drain
      const pods = yield* PodRunner
      const { jobs } = yield* WorkerConfig
      const temporalWorker = yield* TemporalWorker.make(activities)
      let status: WorkerStatus = "starting"
      const become = (next: WorkerStatus) =>
        Effect.suspend(() => {
          status = next
          return Effect.logInfo(`worker is ${next}`)
        })

      /** Said once, at the start: without this right the key stands in the Pod's own spec, as with the Go worker. */
      const checkSecrets = Effect.gen(function* () {
        if (jobs.secretKey === undefined || jobs.secretName !== undefined) return
        if (yield* pods.mayCreateSecrets) return
        yield* Effect.logWarning(
          "no right to create Secrets: OLAKE_SECRET_KEY will stand readable in the Pods of jobs. Grant create on secrets, or name an existing Secret with OLAKE_SECRET_NAME."
        )
      })

      const run = Effect.gen(function* () {
        yield* Effect.forkChild(checkSecrets)
        yield* Effect.provideContext(Background.start, services)
        return yield* temporalWorker.run({
          onRunning: become("running"),
          onDrain: Effect.andThen(drain.begin, become("draining"))
        })
      }).pipe(Effect.tapError(() => become("failed")))

      return Worker.of({ run, status: Effect.sync(() => status) })
    })
  )

  /** All but config, logging and the database. */
  static readonly layer = Worker.layerOpen.pipe(
    Layer.provideMerge(Layer.mergeAll(PodRunner.layer, Drain.layer, RunRegistry.layer)),
    Layer.provideMerge(Layer.mergeAll(PodWatch.layer, SchedulingRules.layer)),
    Layer.provideMerge(
      Layer.mergeAll(
        KubernetesClient.layer,
        SharedStorage.layer,
        TemporalClient.layer,
        Jobs.layer,
        Projects.layer,
        Decryption.layer,
        Webhook.layer,
        SyncTelemetry.layer
      )
    ),
    Layer.provideMerge(TemporalRuntime.layer),
    Layer.provide(NodeFileSystem.layer)
  )

  /** Everything from the environment. */
  static readonly layerFromEnv = Worker.layer.pipe(
    Layer.provideMerge(Database.layer),
    Layer.provideMerge(WorkerConfig.layerFromEnv)
  )
}
