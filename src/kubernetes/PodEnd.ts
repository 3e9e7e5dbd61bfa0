/** Waits for a Pod's end: keeps the time that the verdict table leaves to its caller, and never decides on old news. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { ExitMarker } from "../olake/ExitMarker.ts"
import { isLongRunning, type Job, type JobIdentity } from "../olake/Job.ts"
import type { KubernetesClient } from "./api/KubernetesClient.ts"
import type { KubernetesError } from "./api/KubernetesError.ts"
import type { PodFailure } from "./verdict/PodFailure.ts"
import { decide } from "./verdict/decide.ts"
import { defaultTimers, type Verdict, type Stage } from "./verdict/Verdict.ts"
import { fromPod, MAIN_CONTAINER, type PodView } from "./pod/PodView.ts"
import type { Observation, PodWatch } from "./PodWatch.ts"
import * as Context from "effect/Context"
import { goNameOf, isPodOf } from "./pod/PodIdentity.ts"
import { nameOf } from "./pod/PodSpec.ts"

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

/** Between two questions to an API server that is away: there is no verdict without its answer. */
const whileAway = Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("15 seconds")]).pipe(
  Schedule.jittered
)

/** What applies, and how much longer it may hold; nothing where there is no hurry. */
const patienceOf = (verdict: Exclude<Verdict, { _tag: "Succeeded" }>) =>
  verdict._tag === "Pending" ? verdict.giveUp : { after: 0, failure: verdict.failure }

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
  const findOurs = (job: JobIdentity) =>
    Effect.gen(function* () {
      const known = yield* watch.find((view) => isPodOf(view, job))
      if (known !== undefined) return known
      const found = yield* findByName(kubernetes, nameOf(job))
      if (found !== undefined && isPodOf(found, job)) return found
      return isLongRunning(job.operation) ? yield* findGos(job) : undefined
    })

  return { findOurs, findGos }
}

const sightingOf = (view: PodView, verdict: Verdict): PodSighting =>
  verdict._tag === "Pending"
    ? { view, stage: verdict.stage, message: verdict.message }
    : { view, stage: "finishing", message: "" }

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
      kind: isLongRunning(job.operation) ? "long" : "short",
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
  const fresh = (view: PodView) =>
    findByName(kubernetes, view.name).pipe(
      Effect.map((now) => (now?.uid === view.uid ? { view: now, gone: false } : { view, gone: true })),
      Effect.retry({ schedule: whileAway })
    )

  const observe = yield* PodObserver
  yield* watch.track(created)
  let seen = yield* watch.next(created.uid, undefined)
  let row: Verdict["row"] | undefined
  let since = 0
  while (true) {
    const verdict = judge(seen)
    yield* observe(sightingOf(seen.view, verdict))
    if (verdict._tag === "Succeeded") return yield* settled(seen)
    const now = yield* Clock.currentTimeMillis
    if (verdict.row !== row) {
      row = verdict.row
      since = now
      yield* Effect.logDebug(`Pod: ${verdict._tag === "Pending" ? verdict.message : verdict.failure.message}`)
    }
    const patience = patienceOf(verdict)
    if (patience === undefined) {
      seen = yield* watch.next(created.uid, seen)
    } else if (since + patience.after > now) {
      const left = Duration.millis(since + patience.after - now)
      const next = yield* Effect.timeoutOption(watch.next(created.uid, seen), left)
      seen = Option.getOrElse(next, () => seen)
    } else {
      // Bad news is asked for once more; while the API server is away there is no verdict.
      const confirmed: Observation = { ...seen, ...(yield* fresh(seen.view)) }
      const again = judge(confirmed)
      if (again._tag === "Succeeded") return yield* settled(confirmed)
      if (again.row === row) return yield* settled(confirmed)
      seen = confirmed
    }
  }
}, Effect.scoped)
