/** Ends Pods: asks them to go, and waits until they are proved gone. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { JobIdentity } from "../olake/Job.ts"
import { WorkerConfig } from "../Config.ts"
import { KubernetesClient } from "./api/KubernetesClient.ts"
import { isPodOf } from "./pod/PodIdentity.ts"
import type { PodEnd } from "./PodEnd.ts"
import { stillTerminating } from "./PodRunnerErrors.ts"
import { hasEndedWell } from "./verdict/decide.ts"
import { hasEnded, MAIN_CONTAINER, type PodView } from "./pod/PodView.ts"
import { type Observation, PodWatch } from "./PodWatch.ts"

/** Longer than a heartbeat takes to tell an activity of its cancel. */
const CREATE_UNDER_WAY = "8 seconds"

/** Beyond the grace period, for the kubelet to let go of the Pod. */
const LETTING_GO = Duration.seconds(60)
/** For an ended Pod's object to go away, where no finalizer keeps it. */
const FINALIZING = "10 seconds"
/** Until the phase follows the end of the container: 1.1 to 1.4 s were seen. */
const PHASE_FOLLOWS = "3 seconds"
const LOOK_AGAIN = "200 millis"

const hasConnectorEnded = ({ containers }: PodView): boolean =>
  containers.some(({ name, state }) => name === MAIN_CONTAINER && state === "terminated")

/** @param findOurs finds a run's Pod */
export const make = Effect.fnUntraced(function* ({ findOurs }: Pick<PodEnd, "findOurs">) {
  const kubernetes = yield* KubernetesClient
  const watch = yield* PodWatch
  /** What a connector gets to save its state when it is stopped. */
  const grace = (yield* WorkerConfig).jobs.terminationGrace

  /** Waits for a Pod that is being deleted, in vain for no longer than its containers may take to end. */
  const awaitThat = (isEnough: (seen: Observation) => boolean) => (view: PodView) =>
    Effect.suspend(() => {
      let latest = view
      const waiting = Effect.gen(function* () {
        yield* watch.track(view)
        let seen: Observation | undefined
        do {
          seen = yield* watch.next(view.uid, seen)
          latest = seen.view
        } while (!isEnough(seen))
      })
      return Effect.scoped(waiting).pipe(
        Effect.timeoutOrElse({
          duration: hasEnded(view) ? FINALIZING : Duration.sum(grace, LETTING_GO),
          orElse: () => Effect.fail(stillTerminating(latest))
        })
      )
    })

  /** Until its name is free. */
  const awaitGone = awaitThat(({ gone }) => gone)
  /** Until nothing of it can write any more; a finalizer may keep the object. */
  const awaitOver = awaitThat(({ gone, view }) => gone || hasEnded(view))

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
    ).pipe(Effect.timeoutOption(PHASE_FOLLOWS))

  const removeAndWait = (view: PodView) =>
    Effect.scoped(
      Effect.gen(function* () {
        yield* watch.track(view)
        yield* untilEnded(view)
        yield* watch.expectEnd(view.uid)
        yield* kubernetes.deletePod(view.name, view.uid)
        yield* awaitOver(view)
      })
    )

  const stop = Effect.fn("PodRunner.stop")(function* (job: JobIdentity) {
    const found = yield* findOurs(job)
    if (found === undefined) return undefined
    if (found.deletionTimestamp === undefined) yield* removeAndWait(found)
    else yield* awaitOver(found)
    return found
  })

  const askToStop = Effect.fn("PodRunner.askToStop")(function* (job: JobIdentity) {
    const found =
      (yield* findOurs(job)) ??
      // Its create may be under way: whoever makes it hears of the cancel with the next heartbeat only.
      (yield* watch
        .find((view) => isPodOf(view, job))
        .pipe(
          Effect.repeat({
            schedule: Schedule.spaced(LOOK_AGAIN),
            until: (view) => view !== undefined
          }),
          Effect.timeoutOrElse({ duration: CREATE_UNDER_WAY, orElse: () => Effect.succeed(undefined) })
        ))
    if (found === undefined) return false
    if (hasEndedWell(found)) return true
    if (found.deletionTimestamp !== undefined) return false
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* watch.track(found)
        yield* watch.expectEnd(found.uid)
        yield* kubernetes.deletePod(found.name, found.uid)
      })
    )
    yield* Effect.logInfo("Pod asked to stop")
    return false
  })

  return { awaitGone, removeAndWait, stop, askToStop }
})
