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
import type { Job } from "../olake/Job.ts"
import { KubernetesClient } from "./KubernetesClient.ts"
import type { KubernetesError } from "./KubernetesError.ts"
import { adoptionOf } from "./PodAdoption.ts"
import { awaitEnd, findByName, type PodExit } from "./PodEnd.ts"
import { JobBusy, NameConflict, overdue, type PodRefused, StillTerminating } from "./PodRunnerErrors.ts"
import * as PodSecrets from "./PodSecrets.ts"
import * as PodSpec from "./PodSpec.ts"
import { decide } from "./PodStatus.ts"
import { defaultTimers } from "./PodVerdict.ts"
import { fromPod, hasEnded, MAIN_CONTAINER, type PodView } from "./PodView.ts"
import { type Observation, PodWatch } from "./PodWatch.ts"

export type PodRunnerError = KubernetesError | JobBusy | NameConflict | PodRefused | StillTerminating

export interface AdoptOptions<E, R, E2 = never> {
  /** Done before a Pod is created, not when one is found. */
  readonly prepare: Effect.Effect<void, E, R>
  /** Whether the Temporal run that a found Pod belongs to still goes on. */
  readonly isOpen: (workflowId: string, runId: string) => Effect.Effect<boolean, E2>
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
    readonly adopt: <E, R, E2>(
      job: Job,
      options: AdoptOptions<E, R, E2>
    ) => Effect.Effect<PodExit, PodRunnerError | E | E2, R>
    /**
     * Asks this run's Pod to stop and waits until it is proved gone; none is success.
     * True where its connector had ended well by itself before.
     */
    readonly stop: (job: Pick<Job, "operation" | "jobId" | "run">) => Effect.Effect<boolean, PodRunnerError>
    /** Whether encryption keys can be handed to Pods in Secrets of their own. */
    readonly mayCreateSecrets: Effect.Effect<boolean>
  }
>()("olake-worker/kubernetes/PodRunner") {
  static readonly layer = Layer.effect(
    PodRunner,
    Effect.gen(function* () {
      const kubernetes = yield* KubernetesClient
      const watch = yield* PodWatch
      const config = yield* WorkerConfig
      const { jobs } = config
      const secrets = PodSecrets.make(kubernetes)

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
          secretKey,
          ownSecretName: `${PodSpec.nameOf(job)}-${suffix}`,
          now
        })
        // Not given up half-way: who then looks for the Pod may look before the server has made it.
        const view = fromPod(yield* Effect.uninterruptible(kubernetes.createPod(spec)))
        yield* secrets.give(job, view)
        yield* Effect.logInfo("Pod created")
        return view
      })

      const adoptFound = Effect.fnUntraced(function* (job: Job, pod: PodView) {
        // Whoever made it may have ended between the two creates.
        if (!hasStarted(pod)) yield* secrets.give(job, pod)
        yield* Effect.logInfo("Pod of this run found, waiting for it")
        return pod
      })

      /** Waits until a Pod that is being deleted is gone. */
      const awaitGone = (view: PodView) =>
        Effect.scoped(
          Effect.gen(function* () {
            yield* watch.track(view)
            let seen: Observation | undefined
            do seen = yield* watch.next(view.uid, seen)
            while (!seen.gone)
          })
        ).pipe(
          Effect.timeoutOrElse({
            duration: Duration.sum(jobs.terminationGrace, Duration.seconds(60)),
            orElse: () =>
              Effect.fail(
                new StillTerminating({
                  pod: view.name,
                  ...(view.node === undefined ? {} : { node: view.node })
                })
              )
          })
        )

      /**
       * A Pod whose connector has ended turns Succeeded or Failed about 1.3 s later and can then be deleted at once;
       * deleted before, it takes the kubelet twice as long to let go of it.
       */
      const untilEnded = (view: PodView) =>
        Effect.scoped(
          Effect.gen(function* () {
            yield* watch.track(view)
            let seen = yield* watch.next(view.uid, undefined)
            while (!seen.gone && hasConnectorEnded(seen.view) && !hasEnded(seen.view))
              seen = yield* watch.next(view.uid, seen)
          })
        ).pipe(Effect.timeoutOption("3 seconds"))

      const removeAndWait = (view: PodView) =>
        Effect.scoped(
          Effect.gen(function* () {
            yield* watch.track(view)
            yield* untilEnded(view)
            yield* watch.expectEnd(view.uid)
            yield* kubernetes.deletePod(view.name, view.uid)
            yield* awaitGone(view)
          })
        )

      /** Creates the job's Pod, or finds the one it has already. */
      const ensure = <E, R, E2>(job: Job, options: AdoptOptions<E, R, E2>) =>
        Effect.gen(function* () {
          const name = PodSpec.nameOf(job)
          const key = PodSpec.keyOf(job.run, job.operation)
          let found = yield* watch.find((view) => view.name === name)
          let refusal: KubernetesError | undefined
          // Each turn waits for something to be gone, or for a lost answer to be cleared up.
          for (let turn = 0; turn < 5; turn++) {
            if (found === undefined) {
              yield* options.prepare
              const created = yield* Effect.result(submit(job))
              if (created._tag === "Success") return created.success
              const error = created.failure
              // Anything but a plain refusal may have made the Pod all the same.
              if (!error.alreadyExists && !error.isTransient && !error.isConflict)
                return yield* yield* overdue(job, error)
              refusal = error
              found = yield* findByName(kubernetes, name)
              if (found === undefined) {
                yield* Effect.sleep(Duration.seconds(Math.min(error.retryAfter ?? turn + 1, 60)))
                continue
              }
            }
            switch (adoptionOf(found, key)) {
              case "ours":
                return yield* adoptFound(job, found)
              case "oursEnding":
                yield* awaitGone(found)
                break
              case "notManaged":
                return yield* new NameConflict({ pod: name })
              case "otherRun": {
                const workflowId = found.annotations[PodSpec.WORKFLOW_ID_ANNOTATION] ?? ""
                if (yield* options.isOpen(workflowId, found.annotations[PodSpec.RUN_ID_ANNOTATION] ?? "")) {
                  return yield* new JobBusy({ pod: name, jobId: job.jobId, workflowId })
                }
                yield* Effect.logWarning(`Pod of an ended run (workflow ${workflowId}) is removed first`)
                yield* removeAndWait(found)
              }
            }
            found = undefined
          }
          return yield* refusal === undefined || refusal.alreadyExists
            ? new StillTerminating({ pod: name })
            : refusal
        })

      /** This run's Pod: as the watch knows it, or as the API server says now. */
      const findOurs = (job: Pick<Job, "operation" | "jobId" | "run">) =>
        Effect.gen(function* () {
          const name = PodSpec.nameOf(job)
          const key = PodSpec.keyOf(job.run, job.operation)
          const isOurs = (view: PodView) => view.name === name && view.labels[PodSpec.KEY_LABEL] === key
          const found = (yield* watch.find(isOurs)) ?? (yield* findByName(kubernetes, name))
          return found !== undefined && isOurs(found) ? found : undefined
        })

      const stop = Effect.fn("PodRunner.stop")(function* (job: Pick<Job, "operation" | "jobId" | "run">) {
        const found = yield* findOurs(job)
        if (found === undefined) return false
        const verdict = decide(found, { kind: "long", stopRequested: false, timers: defaultTimers })
        if (found.deletionTimestamp === undefined) yield* removeAndWait(found)
        else yield* awaitGone(found)
        return verdict._tag === "Succeeded"
      })

      /** The scope's end: whatever became of the create, this run's Pod goes. */
      const discard = (job: Job) =>
        Effect.gen(function* () {
          const found = yield* findOurs(job)
          if (found !== undefined && found.deletionTimestamp === undefined) {
            yield* kubernetes.deletePod(found.name, found.uid)
          }
        }).pipe(
          Effect.timeout("30 seconds"),
          Effect.catch((error) => Effect.logWarning(`the Pod was not deleted: ${error.message}`))
        )

      const annotated = (job: Pick<Job, "operation" | "jobId" | "run">) =>
        Effect.annotateLogs({ pod: PodSpec.nameOf(job) })

      return PodRunner.of({
        run: (job, prepare) =>
          Effect.gen(function* () {
            yield* watch.synced
            // Before the create: one whose answer is lost must be cleaned up as well.
            yield* Effect.addFinalizer(() => annotated(job)(discard(job)))
            const pod = yield* ensure(job, { prepare, isOpen: () => Effect.succeed(true) })
            return yield* awaitEnd(kubernetes, watch, job, pod)
          }).pipe(annotated(job)),
        adopt: (job, options) =>
          watch.synced.pipe(
            Effect.andThen(ensure(job, options)),
            Effect.flatMap((pod) => awaitEnd(kubernetes, watch, job, pod)),
            annotated(job)
          ),
        stop: (job) => Effect.andThen(watch.synced, stop(job)).pipe(annotated(job)),
        mayCreateSecrets: secrets.mayCreate
      })
    })
  )
}

const hasStarted = ({ containers }: PodView): boolean =>
  containers.some(
    ({ name, state }) => name === MAIN_CONTAINER && (state === "running" || state === "terminated")
  )

const hasConnectorEnded = ({ containers }: PodView): boolean =>
  containers.some(({ name, state }) => name === MAIN_CONTAINER && state === "terminated")
