/** A real Pod with the image, volume, account and placement of a job, which says its specification and ends. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type { WorkerConfig } from "../../Config.ts"
import type { KubernetesClient } from "../../kubernetes/api/KubernetesClient.ts"
import { PodRunner } from "../../kubernetes/PodRunner.ts"
import { imageOf } from "../../kubernetes/pod/PodSpec.ts"
import { PodWatch } from "../../kubernetes/PodWatch.ts"
import { SchedulingRules } from "../../kubernetes/SchedulingRules.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import { type Check, ok, problem } from "../Check.ts"
import { type Image, sampleJob } from "./SampleJob.ts"

/** Longer than any wait for a place, after which the verdict names the reason (docs/verdicts.md). */
const LIMIT = Duration.minutes(6)

const runnerLayer = PodRunner.layer.pipe(Layer.provide(Layer.mergeAll(PodWatch.layer, SchedulingRules.layer)))

export const probeCheck = (
  { jobs, kubernetes: { namespace } }: WorkerConfig["Service"],
  image: Image
): Check<KubernetesClient | SharedStorage | WorkerConfig> => ({
  name: "kubernetes.probe",
  needs: "kubernetes.pod",
  limit: LIMIT,
  run: Effect.gen(function* () {
    const pods = yield* PodRunner
    const storage = yield* SharedStorage
    const id = `olake-doctor-${(yield* Random.nextIntBetween(0, 2 ** 32)).toString(16)}`
    const job = sampleJob(image, id)
    yield* Effect.addFinalizer(() => Effect.ignore(storage.removeDirectory(id)))
    yield* storage.prepare(id, [])
    const { failure, view } = yield* pods.run(job)
    const name = imageOf(image, jobs.registryBase)
    return failure === undefined
      ? ok(`a Pod of ${name} started on node ${view.node ?? "unknown"}, and ended`)
      : problem(
          `${failure.class}: ${failure.message}`,
          `docs/troubleshooting.md has ${failure.class}; another connector is tried with --image CONNECTOR:VERSION`
        )
  }).pipe(Effect.scoped, Effect.provide(runnerLayer)),
  remedy: `kubectl -n ${namespace} get pods,events -l app.kubernetes.io/managed-by=olake-workers`
})
