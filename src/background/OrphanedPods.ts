/**
 * Removes Pods whose run is long over: a workflow that was terminated tells no activity, and its Pod would write on. Each
 * worker sweeps; a Pod is deleted by its uid, so that two sweeps do no more than one.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { WorkerConfig } from "../Config.ts"
import { PodRunner } from "../kubernetes/PodRunner.ts"
import {
  CREATED_AT_ANNOTATION,
  NAMESPACE_ANNOTATION,
  RUN_ID_ANNOTATION,
  WORKFLOW_ID_ANNOTATION
} from "../kubernetes/pod/PodSpec.ts"
import type { PodView } from "../kubernetes/pod/PodView.ts"
import { PodWatch } from "../kubernetes/PodWatch.ts"
import { PRIVATE_FILES } from "../olake/Connector.ts"
import { ofSync } from "../olake/Workdir.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"
import { type RunState, TemporalClient } from "../temporal/TemporalClient.ts"
import { periodically } from "./Periodically.ts"
import { rescue } from "../activity/writer/LeftState.ts"

const PERIOD = "5 minutes"
/** A run's own end removes its Pod; this long after, nobody does any more. */
const GRACE = Duration.toMillis("15 minutes")
/** A run that Temporal has forgotten was over for as long as Temporal keeps runs: a day at least. */
const FORGOTTEN = Duration.toMillis("24 hours")

/** Pods looked after at a time. */
const AT_A_TIME = 5

interface Orphan {
  readonly pod: PodView
  readonly run: RunState
}

/** Whether so many runs are unknown that it is rather the wrong Temporal. */
const isWrongTemporal = (unknown: number, all: number): boolean => unknown > 2 && unknown * 2 > all

const ageOf = ({ annotations }: PodView, now: number): number => {
  const created = Date.parse(annotations[CREATED_AT_ANNOTATION] ?? "")
  return Number.isNaN(created) ? 0 : now - created
}

/** One that cannot be removed now does not keep the others. */
const remove = Effect.fnUntraced(
  function* ({ pod, run }: Orphan) {
    const runner = yield* PodRunner
    const storage = yield* SharedStorage
    const workflowId = pod.annotations[WORKFLOW_ID_ANNOTATION] ?? ""
    yield* runner.remove(pod).pipe(
      // Its connector has read them when it began.
      Effect.ensuring(Effect.ignore(storage.remove(ofSync(workflowId), PRIVATE_FILES)))
    )
    yield* Effect.logWarning(`Pod ${pod.name} was left by an ended run (workflow ${workflowId}): removed`)
    if (run.state === "closed") yield* rescue(pod)
  },
  (effect, { pod }) =>
    Effect.catch(effect, ({ message }) =>
      Effect.logWarning(`Pod ${pod.name} was left by an ended run and is not removed yet: ${message}`)
    )
)

export const sweep = Effect.fn("orphans.sweep")(function* () {
  const { temporal } = yield* WorkerConfig
  const client = yield* TemporalClient
  const watch = yield* PodWatch
  yield* watch.synced
  const pods = (yield* watch.live).filter(
    ({ annotations }) => annotations[NAMESPACE_ANNOTATION] === temporal.namespace
  )
  const now = yield* Clock.currentTimeMillis
  const looked = yield* Effect.forEach(
    pods,
    (pod) =>
      client
        .lookAt(pod.annotations[WORKFLOW_ID_ANNOTATION] ?? "", pod.annotations[RUN_ID_ANNOTATION] ?? "")
        .pipe(
          Effect.map((run) => [{ pod, run }]),
          // Nothing is known of it now: the next sweep asks again.
          Effect.catch(() => Effect.succeed([]))
        ),
    { concurrency: AT_A_TIME }
  ).pipe(Effect.map((found) => found.flat()))
  const unknown = looked.filter(({ run }) => run.state === "unknown")
  const tripped = isWrongTemporal(unknown.length, looked.length)
  if (tripped) {
    yield* Effect.logWarning(
      `Temporal knows nothing of ${unknown.length} of ${looked.length} Pods' runs: is it the right one? None of these is removed`
    )
  }
  const orphans = looked.filter(({ pod, run }) =>
    run.state === "unknown"
      ? !tripped && ageOf(pod, now) > FORGOTTEN
      : run.state === "closed" && now - run.closedAt > GRACE
  )
  yield* Effect.forEach(orphans, (one) => remove(one), { concurrency: AT_A_TIME, discard: true })
})

export const run = periodically(
  { what: "the sweep of ended runs' Pods", first: PERIOD, every: PERIOD },
  sweep()
)
