/**
 * Runs one Pod to its end. `run`: a Pod that is gone with its scope. `adopt`: a Pod that outlives this
 * process; it is created or found again, waited for, and left behind for `stop`.
 */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { WorkerConfig } from "../Config.ts"
import type { ExitMarker } from "../olake/ExitMarker.ts"
import { isLongRunning, type Job, type JobIdentity, type Operation } from "../olake/Job.ts"
import { KubernetesClient } from "./api/KubernetesClient.ts"
import type { KubernetesError } from "./api/KubernetesError.ts"
import { adoptionOf, isGos, isInTheWayOf } from "./pod/PodIdentity.ts"
import { awaitEnd, finder, findByName, type PodExit } from "./PodEnd.ts"
import { Cancelled, JobBusy, NameConflict, type PodRunnerError, StillTerminating } from "./PodRunnerErrors.ts"
import { cannotMark } from "./verdict/Marker.ts"
import * as PodSecrets from "./PodSecrets.ts"
import * as PodSpec from "./pod/PodSpec.ts"
import * as PodStop from "./PodStop.ts"
import { fromPod, hasEnded, hasStarted, type PodView } from "./pod/PodView.ts"
import { PodWatch } from "./PodWatch.ts"
import * as Refusals from "./Refusals.ts"
import { SchedulingRules } from "./SchedulingRules.ts"
import * as Metric from "effect/Metric"

const creations = Metric.counter("pods_created_total", {
  description: "Pods that were created, by operation",
  incremental: true
})
const adoptions = Metric.counter("pods_adopted_total", {
  description: "Waits for a Pod that was there already: of another worker, or of an attempt before",
  incremental: true
})

const countCreated = (operation: string): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(creations, { operation }), 1)

const countAdopted: Effect.Effect<void> = Metric.update(adoptions, 1)

/** Looks for a place for the Pod before the attempt is given back to Temporal. */
const MOST_TURNS = 5
/** Seconds that a Retry-After is obeyed. */
const LONGEST_PAUSE = 60
/** What cannot be deleted by then is left to its own deadline. */
const DISCARD_LIMIT = "30 seconds"

/** `unknown` where Temporal has no such run: long over, or another Temporal's. */
export type RunState = "open" | "closed" | "unknown"

/** Whose Pod is looked for. */
export interface Wanted extends JobIdentity {
  /** One for the first; a later one may find what another worker has made. */
  readonly attempt: number
}

export interface AdoptOptions<E, R, E2 = never, R2 = never> {
  /** Makes all that a Pod needs, files included. Done where one is created, not where one is found. */
  readonly prepare: Effect.Effect<Job, E, R>
  /** Whether the Temporal run that a found Pod belongs to still goes on. */
  readonly runState: (workflowId: string, runId: string) => Effect.Effect<RunState, E2>
  /** What is done when the Pod of a run that is over was removed and is proved gone, before `prepare`. */
  readonly onEnded?: (pod: PodView) => Effect.Effect<void, never, R2>
  /** How the connector ended, where something has noted it. */
  readonly marker?: Effect.Effect<ExitMarker | undefined>
  /** Asked before a Pod is created: whether the run was cancelled meanwhile, so that none may be. */
  readonly isCancelled: Effect.Effect<boolean, E2>
}

export class PodRunner extends Context.Service<
  PodRunner,
  {
    /** The Pod is deleted when the scope closes, however it closes. */
    readonly run: <E, R>(
      job: Job,
      /** Done before a Pod is created, not when one is found. */
      prepare: Effect.Effect<void, E, R>
    ) => Effect.Effect<PodExit, PodRunnerError | E, R | Scope.Scope>
    readonly adopt: <E, R, E2, R2 = never>(
      wanted: Wanted,
      options: AdoptOptions<E, R, E2, R2>
    ) => Effect.Effect<PodExit, PodRunnerError | E | E2, R | R2>
    /**
     * Asks this run's Pod to stop and waits until it is proved gone; none is success.
     * True where its connector had ended well by itself before.
     */
    readonly stop: (
      job: JobIdentity,
      marker?: Effect.Effect<ExitMarker | undefined>
    ) => Effect.Effect<boolean, PodRunnerError>
    /**
     * Asks this run's Pod to stop and does not wait; one that appears within seconds is asked too.
     * True where its connector had ended well by itself before: such a Pod is left alone.
     */
    readonly askToStop: (job: JobIdentity) => Effect.Effect<boolean, PodRunnerError>
    /** Asks that very Pod to stop and waits until it is proved gone. */
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
      const secrets = PodSecrets.make(kubernetes)
      const refusals = Refusals.make()
      const { findOurs, findGos } = finder(kubernetes, watch)
      const { awaitGone, removeAndWait, stop, askToStop } = PodStop.make(
        kubernetes,
        watch,
        findOurs,
        jobs.terminationGrace
      )

      /** Images without a shell, or with their connector elsewhere. */
      const unmarkable = new Set<string>()
      const marksExit = (operation: Operation, image: string): boolean =>
        jobs.exitMarker && isLongRunning(operation) && !unmarkable.has(image)

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
          ownSecretName: `${PodSpec.nameOf(job)}-${suffix}`,
          marksExit: marksExit(job.operation, PodSpec.imageOf(job, jobs.registryBase)),
          now
        })
        // Not given up half-way: who then looks for the Pod may look before the server has made it.
        const view = fromPod(yield* Effect.uninterruptible(kubernetes.createPod(spec)))
        yield* refusals.over(job)
        yield* secrets.give(job, view)
        yield* countCreated(job.operation)
        yield* Effect.annotateLogs(Effect.logInfo("Pod created"), { connector: job.connector })
        return view
      })

      const adoptFound = Effect.fnUntraced(function* <E, R>(prepare: Effect.Effect<Job, E, R>, pod: PodView) {
        // Whoever made it may have ended between the two creates.
        if (!hasStarted(pod) && PodSecrets.needsOne(pod)) yield* secrets.give(yield* prepare, pod)
        yield* countAdopted
        yield* Effect.logInfo("Pod of this run found, waiting for it")
        return pod
      })

      /** Creates the job's Pod, or finds the one it has already. */
      const ensure = <E, R, E2, R2 = never>(job: Wanted, options: AdoptOptions<E, R, E2, R2>) =>
        Effect.gen(function* () {
          const name = PodSpec.nameOf(job)
          const known = watch.find((view) => isInTheWayOf(view, job))
          let found = yield* known
          // Made by the Go worker a moment ago, perhaps: its name is another, so that the create would not meet it.
          if (found === undefined && job.attempt > 1) found = yield* findGos(job)
          let refusal: KubernetesError | undefined
          // Each turn waits for something to be gone, or for a lost answer to be cleared up.
          for (let turn = 0; turn < MOST_TURNS; turn++) {
            if (found === undefined) {
              if (yield* options.isCancelled) return yield* new Cancelled({ pod: name })
              const made = yield* options.prepare
              const created = yield* Effect.result(submit(made))
              if (created._tag === "Success") return created.success
              const error = created.failure
              // Anything but a plain refusal may have made the Pod all the same.
              if (!error.alreadyExists && !error.isTransient && !error.isConflict)
                return yield* yield* refusals.met(job, error)
              refusal = error
              found = yield* findByName(kubernetes, name)
              if (found === undefined) {
                yield* Effect.sleep(Duration.seconds(Math.min(error.retryAfter ?? turn + 1, LONGEST_PAUSE)))
                continue
              }
            }
            switch (adoptionOf(found, job)) {
              case "ours":
                return yield* adoptFound(options.prepare, found)
              case "oursEnding":
                yield* awaitGone(found)
                break
              case "notManaged":
                return yield* new NameConflict({ pod: found.name })
              case "otherRun": {
                const workflowId = found.annotations[PodSpec.WORKFLOW_ID_ANNOTATION] ?? ""
                const state = yield* options.runState(
                  workflowId,
                  found.annotations[PodSpec.RUN_ID_ANNOTATION] ?? ""
                )
                // The Go worker's Pods do not say which Temporal they belong to: an unknown run is not known to be over.
                if (state === "open" || (state === "unknown" && isGos(found) && !hasEnded(found))) {
                  return yield* new JobBusy({ pod: found.name, jobId: job.jobId, workflowId })
                }
                yield* Effect.logWarning(`Pod of an ended run (workflow ${workflowId}) is removed first`)
                yield* removeAndWait(found)
                if (state === "closed" && options.onEnded !== undefined) yield* options.onEnded(found)
              }
            }
            found = yield* known
          }
          return yield* refusal === undefined || refusal.alreadyExists
            ? new StillTerminating({ pod: name })
            : refusal
        })

      /** The scope's end: whatever became of the create, this run's Pod goes. */
      const discard = (job: Job) =>
        Effect.gen(function* () {
          const found = yield* findOurs(job)
          if (found !== undefined && found.deletionTimestamp === undefined) {
            yield* kubernetes.deletePod(found.name, found.uid)
          }
        }).pipe(
          Effect.timeout(DISCARD_LIMIT),
          Effect.catch((error) => Effect.logWarning(`the Pod was not deleted: ${error.message}`))
        )

      const annotated = (job: JobIdentity) => Effect.annotateLogs({ pod: PodSpec.nameOf(job) })

      return PodRunner.of({
        run: (job, prepare) =>
          Effect.gen(function* () {
            yield* watch.synced
            // Before the create: one whose answer is lost must be cleaned up as well.
            yield* Effect.addFinalizer(() => annotated(job)(discard(job)))
            const pod = yield* ensure(job, {
              prepare: Effect.as(prepare, job),
              runState: () => Effect.succeed("open"),
              isCancelled: Effect.succeed(false)
            })
            return yield* awaitEnd(kubernetes, watch, job, pod)
          }).pipe(annotated(job)),
        adopt: (job, options) =>
          Effect.gen(function* () {
            yield* watch.synced
            const wait = Effect.flatMap(ensure(job, options), (pod) =>
              awaitEnd(kubernetes, watch, job, pod, options.marker)
            )
            const exit = yield* wait
            const { image = "" } = exit.view
            if (!marksExit(job.operation, image) || !cannotMark(exit.view, exit.failure)) return exit
            unmarkable.add(image)
            yield* Effect.logWarning(
              `${image} runs without a shell around it: ${exit.failure?.clusterMessage}`
            )
            yield* removeAndWait(exit.view)
            return yield* wait
          }).pipe(annotated(job)),
        stop: (job, marker) => Effect.andThen(watch.synced, stop(job, marker)).pipe(annotated(job)),
        askToStop: (job) => Effect.andThen(watch.synced, askToStop(job)).pipe(annotated(job)),
        remove: removeAndWait,
        mayCreateSecrets: secrets.mayCreate
      })
    })
  )
}
