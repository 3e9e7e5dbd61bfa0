/** Waits for a Pod's end, and never decides on old news; what it does next, `PodEndStep.ts` says. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { WorkerConfig } from "../Config.ts"
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
import { goNameOf, isInTheWayOf, isPodOf, nameOf, oldNameOf } from "./pod/PodIdentity.ts"
import { beginning, patienceOf, stageOf, step, wordsOf } from "./PodEndStep.ts"

/** Hears, at every change, what a Pod does that somebody waits for; nobody, unless somebody listens. */
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

/** The Pods that count for a job. */
export interface Found {
  /** This run's own. */
  readonly own: PodView | undefined
  /** Others beside which no Pod of the job may be made. */
  readonly inTheWay: ReadonlyArray<PodView>
}

/** Between two questions to an API server that is away. */
const whileAway = capped("500 millis", "15 seconds", { jittered: true })

/** Undefined where there is none of that name. */
export const podNamed = (kubernetes: KubernetesClient["Service"], name: string) =>
  kubernetes.readPod(name).pipe(
    Effect.map((pod) => fromPod(pod)),
    Effect.catchIf(
      (error) => error.isNotFound,
      () => Effect.succeed(undefined)
    )
  )

/** Finds a run's Pod, and waits for its end. */
export const make = Effect.gen(function* () {
  const kubernetes = yield* KubernetesClient
  const watch = yield* PodWatch
  const { jobs } = yield* WorkerConfig

  const findByName = (name: string) => podNamed(kubernetes, name)

  /** The one that the Go worker made, under its own name for it. */
  const findGos = (job: JobIdentity) =>
    Effect.map(findByName(goNameOf(job.run.workflowId)), (found) =>
      found !== undefined && isPodOf(found, job) ? found : undefined
    )

  /** What a worker before 0.2 made for the job, under its name for it: this run's, or one that is in its way. */
  const findOld = Effect.fnUntraced(function* (job: JobIdentity) {
    if (!isWriter(job.operation)) return undefined
    const found = yield* findByName(oldNameOf(job))
    return found !== undefined && isInTheWayOf(found, job, jobs.pvcName) ? found : undefined
  })

  /** This run's Pod: as the watch knows it, or as the API server says now. */
  const findOurs = Effect.fnUntraced(function* (job: JobIdentity) {
    const known = yield* watch.find((view) => isPodOf(view, job))
    if (known !== undefined) return known
    const found = yield* findByName(nameOf(job, jobs.pvcName))
    if (found !== undefined && isPodOf(found, job)) return found
    const old = yield* findOld(job)
    if (old !== undefined && isPodOf(old, job)) return old
    return isWriter(job.operation) ? yield* findGos(job) : undefined
  })

  /** @param isFirst whether this is the run's first look; a later one asks by name for what another worker has made */
  const find = Effect.fnUntraced(function* (job: JobIdentity, isFirst: boolean) {
    yield* watch.synced
    const heard = (yield* watch.live).filter((view) => isInTheWayOf(view, job, jobs.pvcName))
    const inTheWay = heard.filter((view) => !isPodOf(view, job))
    const known = heard.findLast((view) => isPodOf(view, job))
    if (known !== undefined) return { own: known, inTheWay } satisfies Found
    // Made a moment ago under another name, perhaps: the create would not meet it, and the watch does not know it yet.
    const old = yield* findOld(job)
    if (old !== undefined && isPodOf(old, job)) return { own: old, inTheWay } satisfies Found
    const own = isFirst || !isWriter(job.operation) ? undefined : yield* findGos(job)
    const isNews = old !== undefined && !heard.some(({ uid }) => uid === old.uid)
    return { own, inTheWay: isNews ? [...inTheWay, old] : inTheWay } satisfies Found
  })

  /** @param marker what a shell around the connector has noted */
  const awaitEnd = Effect.fnUntraced(function* (
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
      findByName(last.view.name).pipe(
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

  return { find, findByName, findOurs, awaitEnd }
})

export type PodEnd = Effect.Success<typeof make>
