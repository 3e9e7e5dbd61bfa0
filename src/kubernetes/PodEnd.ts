/** Waits for a Pod's end, and never decides on old news; what it does next, `PodEndStep.ts` says. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { ExitMarker } from "../olake/ExitMarker.ts"
import { isWriter, type Job, type JobIdentity } from "../olake/Job.ts"
import { capped } from "../Schedules.ts"
import { KubernetesClient } from "./api/KubernetesClient.ts"
import type { KubernetesError } from "./api/KubernetesError.ts"
import type { PodFailure } from "./verdict/PodFailure.ts"
import { decide } from "./verdict/decide.ts"
import { defaultTimers, type Stage, type Verdict } from "./verdict/Verdict.ts"
import { fromPod, MAIN_CONTAINER, type PodView } from "./pod/PodView.ts"
import type { Observation } from "./PodNews.ts"
import { PodWatch } from "./PodWatch.ts"
import * as Context from "effect/Context"
import { goNameOf, isPodOf } from "./pod/PodIdentity.ts"
import { nameOf } from "./pod/PodSpec.ts"
import { beginning, patienceOf, stageOf, step, wordsOf } from "./PodEndStep.ts"

/** Who is told what a Pod that is waited for does, at every change; nobody, unless somebody listens. */
export interface PodSighting {
  readonly view: PodView
  readonly stage: Stage
  /** What it waits for. */
  readonly message: string
}

export const PodObserver = Context.Reference<(seen: PodSighting) => Effect.Effect<void>>(
  "olake-worker/kubernetes/PodObserver",
  { defaultValue: () => () => Effect.void }
)

/** A Pod whose connector has ended, well or badly. */
export interface PodExit {
  readonly view: PodView
  readonly failure: PodFailure | undefined
  /** The end of its log; only while the Pod is there. */
  readonly log: Effect.Effect<string, KubernetesError>
}

/** Between two questions to an API server that is away. */
const whileAway = capped("500 millis", "15 seconds", { jittered: true })

export const findByName = (kubernetes: KubernetesClient["Service"], name: string) =>
  kubernetes.readPod(name).pipe(
    Effect.map((pod) => fromPod(pod)),
    Effect.catchIf(
      (error) => error.isNotFound,
      () => Effect.succeed(undefined)
    )
  )

/** Finds a run's Pod, in the watch or by asking for its name. */
export const finder = (kubernetes: KubernetesClient["Service"], watch: PodWatch["Service"]) => {
  /** The one that the Go worker made, under its own name for it. */
  const findGos = (job: JobIdentity) =>
    Effect.map(findByName(kubernetes, goNameOf(job.run.workflowId)), (found) =>
      found !== undefined && isPodOf(found, job) ? found : undefined
    )

  /** This run's Pod: as the watch knows it, or as the API server says now. */
  const findOurs = Effect.fnUntraced(function* (job: JobIdentity) {
    const known = yield* watch.find((view) => isPodOf(view, job))
    if (known !== undefined) return known
    const found = yield* findByName(kubernetes, nameOf(job))
    if (found !== undefined && isPodOf(found, job)) return found
    return isWriter(job.operation) ? yield* findGos(job) : undefined
  })

  return { findOurs, findGos }
}

/** @param marker what a shell around the connector has noted */
export const awaitEnd = Effect.fnUntraced(function* (
  kubernetes: KubernetesClient["Service"],
  watch: PodWatch["Service"],
  job: Pick<Job, "operation">,
  created: PodView,
  marker: Effect.Effect<ExitMarker | undefined> = Effect.succeed(undefined)
) {
  const judge = ({ view, gone, asked }: Observation, noted?: ExitMarker): Verdict =>
    decide(gone ? { gone: true, last: view } : view, {
      kind: isWriter(job.operation) ? "long" : "short",
      stopRequested: asked,
      marker: noted,
      timers: defaultTimers
    })
  const exit = (view: PodView, failure: PodFailure | undefined): PodExit => ({
    view,
    failure,
    log: kubernetes.readPodLog(view.name, MAIN_CONTAINER)
  })
  /** The marker is read last: nothing writes it once the connector has ended. */
  const settled = Effect.fnUntraced(function* (last: Observation) {
    const verdict = judge(last, yield* marker)
    return exit(last.view, verdict._tag === "Succeeded" ? undefined : patienceOf(verdict)?.failure)
  })
  /** Waits for an answer: while the API server is away there is no verdict. */
  const confirmed = (last: Observation) =>
    findByName(kubernetes, last.view.name).pipe(
      Effect.map((now): Observation =>
        now?.uid === created.uid ? { ...last, view: now, gone: false } : { ...last, gone: true }
      ),
      Effect.retry({ schedule: whileAway })
    )
  /** As it is after a change, or after that time without one. */
  const changed = (last: Observation, atMost: number | undefined) => {
    const next = watch.next(created.uid, last)
    if (atMost === undefined) return next
    return Effect.timeoutOrElse(next, {
      duration: Duration.millis(atMost),
      orElse: () => Effect.succeed(last)
    })
  }

  const observe = yield* PodObserver
  yield* watch.track(created)
  let seen = yield* watch.next(created.uid, undefined)
  let held = beginning
  let isConfirmed = false
  while (true) {
    const verdict = judge(seen)
    yield* observe({ view: seen.view, ...stageOf(verdict) })
    const before = held.row
    const [next, action] = step(held, { verdict, isConfirmed, now: yield* Clock.currentTimeMillis })
    held = next
    if (action._tag === "settle") return yield* settled(seen)
    if (held.row !== before) yield* Effect.logDebug(`Pod: ${wordsOf(verdict)}`)
    isConfirmed = action._tag === "confirm"
    seen = yield* action._tag === "confirm" ? confirmed(seen) : changed(seen, action.atMost)
  }
}, Effect.scoped)

/** The same, of the client and the watch that are provided. */
export const make = Effect.gen(function* () {
  const kubernetes = yield* KubernetesClient
  const watch = yield* PodWatch
  return {
    ...finder(kubernetes, watch),
    findByName: (name: string) => findByName(kubernetes, name),
    awaitEnd: (
      job: Pick<Job, "operation">,
      created: PodView,
      marker?: Effect.Effect<ExitMarker | undefined>
    ) => awaitEnd(kubernetes, watch, job, created, marker)
  }
})
