/**
 * Runs Pods. `run`: a Pod that is gone with its scope. The rest is for Pods that outlive this process: what there is for
 * a job, one create, the wait for the end, the stop. Who may write for a job is decided by who calls these.
 */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { WorkerConfig } from "../Config.ts"
import type { ExitMarker } from "../olake/ExitMarker.ts"
import { isWriter, type Job, type JobIdentity, type Operation } from "../olake/Job.ts"
import { KubernetesClient } from "./api/KubernetesClient.ts"
import type { KubernetesError } from "./api/KubernetesError.ts"
import { isPodOf, nameOf, ownerOf } from "./pod/PodIdentity.ts"
import * as PodSpec from "./pod/PodSpec.ts"
import { fromPod, type PodView } from "./pod/PodView.ts"
import * as PodEnd from "./PodEnd.ts"
import { NameConflict, type PodRunnerError } from "./PodRunnerErrors.ts"
import * as PodSecrets from "./PodSecrets.ts"
import * as PodStop from "./PodStop.ts"
import { PodWatch } from "./PodWatch.ts"
import * as Refusals from "./Refusals.ts"
import { SchedulingRules } from "./SchedulingRules.ts"
import * as ScopedPod from "./ScopedPod.ts"
import { cannotMark } from "./verdict/Marker.ts"

const creations = Metric.counter("pods_created_total", {
  description: "Pods that were created, by operation",
  incremental: true
})
const adoptions = Metric.counter("pods_adopted_total", {
  description: "Waits for a Pod that was there already: of another worker, or of an attempt before",
  incremental: true
})

/** Counts and logs that a Pod was there already. */
export const adopted: Effect.Effect<void> = Effect.andThen(
  Metric.update(adoptions, 1),
  Effect.logInfo("Pod of this run found, waiting for it")
)

/** Seconds that a Retry-After is obeyed. */
const LONGEST_PAUSE = 60

/** The Pod was not made, or it is not known whether it was: look again. */
export interface NotCreated {
  readonly refusal: KubernetesError
  /** To wait before the next look. */
  readonly pause: Duration.Duration
}

export class PodRunner extends Context.Service<
  PodRunner,
  {
    /** Creates a short run's Pod, or finds it, and waits. It is deleted when the scope closes, however it closes. */
    readonly run: (job: Job) => Effect.Effect<PodEnd.PodExit, PodRunnerError, Scope.Scope>
    /**
     * What there is for the job, as the watch knows it.
     * @param isFirst whether this is the run's first look; a later one asks by name for what another worker has made
     */
    readonly find: (job: JobIdentity, isFirst: boolean) => Effect.Effect<PodEnd.Found, KubernetesError>
    /** One create. A refusal that does not pass, or has lasted too long, is a failure. */
    readonly create: (job: Job) => Effect.Effect<PodView | NotCreated, PodRunnerError>
    /** Makes the Secret that the Pod waits for. */
    readonly giveSecret: (job: Job, pod: PodView) => Effect.Effect<void, KubernetesError>
    /** Waits for the end of the run's own Pod, whatever state it is in. */
    readonly awaitEnd: (
      job: JobIdentity,
      pod: PodView,
      marker: Effect.Effect<ExitMarker | undefined>
    ) => Effect.Effect<PodEnd.PodExit, KubernetesError>
    /** True where the image cannot be run with a shell around its connector; the next Pod has none then. */
    readonly needsNoShell: (job: JobIdentity, exit: PodEnd.PodExit) => Effect.Effect<boolean>
    /** Waits until a Pod that is being deleted is gone. */
    readonly awaitGone: (pod: PodView) => Effect.Effect<void, PodRunnerError>
    /**
     * Asks this run's Pod to stop and waits until it is over: gone, or all its containers ended for good.
     * The Pod as it was found; undefined where there was none.
     */
    readonly stop: (job: JobIdentity) => Effect.Effect<PodView | undefined, PodRunnerError>
    /**
     * Asks this run's Pod to stop and does not wait; one that appears within seconds is asked too.
     * True where its connector had ended well by itself before: such a Pod is left alone.
     */
    readonly askToStop: (job: JobIdentity) => Effect.Effect<boolean, PodRunnerError>
    /** Asks that very Pod to stop and waits until it is over. */
    readonly remove: (pod: PodView) => Effect.Effect<void, PodRunnerError>
    /** Whether encryption keys can be handed to Pods in Secrets of their own. */
    readonly mayCreateSecrets: Effect.Effect<boolean>
  }
>()("olake-worker/kubernetes/PodRunner") {
  static readonly layer = Layer.effect(
    PodRunner,
    Effect.gen(function* () {
      const kubernetes = yield* KubernetesClient
      const watch = yield* PodWatch
      const scheduling = yield* SchedulingRules
      const config = yield* WorkerConfig
      const { jobs } = config
      const secrets = yield* PodSecrets.make
      const refusals = Refusals.make()
      const { find, findByName, findOurs, awaitEnd } = yield* PodEnd.make
      const stopping = yield* PodStop.make({ findOurs })

      /** Images without a shell, or with their connector elsewhere. */
      const unmarkable = new Set<string>()
      const marksExit = (operation: Operation, image: string): boolean =>
        jobs.exitMarker && isWriter(operation) && !unmarkable.has(image)

      const submit = Effect.fnUntraced(function* (job: Job) {
        const secretKey = PodSpec.secretKeySource(
          job,
          jobs,
          job.secretKey !== undefined && (yield* secrets.mayCreate)
        )
        const now = DateTime.formatIso(yield* DateTime.now)
        const suffix = (yield* Random.nextIntBetween(0, 2 ** 32)).toString(16)
        const spec = PodSpec.build(job, {
          namespace: kubernetes.namespace,
          workerPod: config.kubernetes.podName,
          jobs,
          rules: yield* scheduling.current,
          secretKey,
          ownSecretName: `${nameOf(job, jobs.pvcName)}-${suffix}`,
          telemetryDisabled: config.callback.telemetryDisabled,
          marksExit: marksExit(job.operation, PodSpec.imageOf(job, jobs.registryBase)),
          now
        })
        // Not given up half-way: who then looks for the Pod may look before the server has made it.
        const view = fromPod(yield* Effect.uninterruptible(kubernetes.createPod(spec)))
        yield* refusals.over(job)
        yield* secrets.give(job, view)
        yield* Metric.update(Metric.withAttributes(creations, { operation: job.operation }), 1)
        yield* Effect.annotateLogs(Effect.logInfo("Pod created"), { connector: job.connector })
        return view
      })

      /** Its maker may have ended, or lost the answer, before it made the Secret. */
      const completed = (job: Job, pod: PodView) =>
        PodSecrets.lacksSecret(pod) ? secrets.give(job, pod) : Effect.void

      const create = Effect.fn("PodRunner.create")(function* (job: Job) {
        const created = yield* Effect.result(submit(job))
        if (created._tag === "Success") return created.success
        const refusal = created.failure
        // Anything but a plain refusal may have made the Pod all the same.
        if (!refusal.alreadyExists && !refusal.isTransient && !refusal.isConflict)
          return yield* yield* refusals.met(job, nameOf(job, jobs.pvcName), refusal)
        const found = yield* findByName(nameOf(job, jobs.pvcName))
        if (found === undefined)
          return { refusal, pause: Duration.seconds(Math.min(refusal.retryAfter ?? 1, LONGEST_PAUSE)) }
        if (!ownerOf(found).isManaged) return yield* new NameConflict({ pod: found.name })
        if (isPodOf(found, job) && found.deletionTimestamp === undefined) {
          yield* completed(job, found)
          return found
        }
        // The watch may not know it yet.
        yield* Effect.scoped(watch.track(found))
        return { refusal, pause: Duration.zero }
      })

      const parts: ScopedPod.Parts = {
        find: (job) => find(job, true),
        create,
        complete: (job, pod) => Effect.andThen(completed(job, pod), adopted),
        awaitGone: stopping.awaitGone,
        awaitEnd,
        delete: (job) =>
          Effect.flatMap(findOurs(job), (found) =>
            found === undefined || found.deletionTimestamp !== undefined
              ? Effect.void
              : kubernetes.deletePod(found.name, found.uid)
          )
      }

      const annotated = (job: JobIdentity) => Effect.annotateLogs({ pod: nameOf(job, jobs.pvcName) })

      return PodRunner.of({
        run: (job) => annotated(job)(ScopedPod.run(parts, job)),
        find,
        create: (job) => annotated(job)(create(job)),
        giveSecret: secrets.give,
        awaitEnd: (job, pod, marker) => annotated(job)(awaitEnd(job, pod, marker)),
        needsNoShell: Effect.fnUntraced(function* (job, exit) {
          const { image = "" } = exit.view
          if (!marksExit(job.operation, image) || !cannotMark(exit.view, exit.failure)) return false
          unmarkable.add(image)
          yield* Effect.logWarning(`${image} runs without a shell around it: ${exit.failure?.clusterMessage}`)
          return true
        }),
        awaitGone: stopping.awaitGone,
        stop: (job) => Effect.andThen(watch.synced, stopping.stop(job)).pipe(annotated(job)),
        askToStop: (job) => Effect.andThen(watch.synced, stopping.askToStop(job)).pipe(annotated(job)),
        remove: stopping.removeAndWait,
        mayCreateSecrets: secrets.mayCreate
      })
    })
  )
}
