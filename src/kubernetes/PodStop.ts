/** Ends Pods: asks them to go, and waits until they are proved gone. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { ExitMarker } from "../olake/ExitMarker.ts"
import type { JobIdentity } from "../olake/Job.ts"
import type { KubernetesClient } from "./api/KubernetesClient.ts"
import { isPodOf } from "./pod/PodIdentity.ts"
import type { finder } from "./PodEnd.ts"
import { StillTerminating } from "./PodRunnerErrors.ts"
import { decide } from "./verdict/decide.ts"
import { defaultTimers } from "./verdict/Verdict.ts"
import { hasEnded, MAIN_CONTAINER, type PodView } from "./pod/PodView.ts"
import type { Observation, PodWatch } from "./PodWatch.ts"

/** Longer than a heartbeat takes to tell an activity of its cancel. */
const CREATE_UNDER_WAY = "8 seconds"

/** Beyond the grace period, for the kubelet to let go of the Pod. */
const LETTING_GO = Duration.seconds(60)
/** Until the phase follows the end of the container: 1.1 to 1.4 s were seen. */
const PHASE_FOLLOWS = "3 seconds"
const LOOK_AGAIN = "200 millis"

const hasConnectorEnded = ({ containers }: PodView): boolean =>
  containers.some(({ name, state }) => name === MAIN_CONTAINER && state === "terminated")

/** @param grace what a connector gets to save its state when stopped */
export const make = (
  kubernetes: KubernetesClient["Service"],
  watch: PodWatch["Service"],
  findOurs: ReturnType<typeof finder>["findOurs"],
  grace: Duration.Duration
) => {
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
        duration: Duration.sum(grace, LETTING_GO),
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
    ).pipe(Effect.timeoutOption(PHASE_FOLLOWS))

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

  const hasEndedWell = (view: PodView, marker?: ExitMarker): boolean =>
    decide(view, { kind: "long", stopRequested: false, marker, timers: defaultTimers })._tag === "Succeeded"

  const stop = Effect.fn("PodRunner.stop")(function* (
    job: JobIdentity,
    marker: Effect.Effect<ExitMarker | undefined> = Effect.succeed(undefined)
  ) {
    const found = yield* findOurs(job)
    if (found === undefined) return false
    const finished = hasEndedWell(found, hasConnectorEnded(found) ? yield* marker : undefined)
    if (found.deletionTimestamp === undefined) yield* removeAndWait(found)
    else yield* awaitGone(found)
    return finished
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
}
