/**
 * Removes Pods whose run is long over: a workflow that was terminated or deleted tells no activity, and its Pod would write
 * on. Each worker sweeps; a Pod is deleted by its uid, so that two sweeps do no more than one.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { release } from "../activity/writer/LeftState.ts"
import { WorkerConfig } from "../Config.ts"
import { LEFT_TO_ITS_OWNER, mayBeOwn, ownershipOf } from "../kubernetes/pod/Ownership.ts"
import { ownerOf } from "../kubernetes/pod/PodIdentity.ts"
import type { PodView } from "../kubernetes/pod/PodView.ts"
import { PodWatch } from "../kubernetes/PodWatch.ts"
import type { RunState } from "../temporal/RunDescription.ts"
import { TemporalClient } from "../temporal/TemporalClient.ts"
import { periodically } from "./Periodically.ts"

const PERIOD = "5 minutes"

/** Pods looked after at a time. */
const AT_A_TIME = 5

/** When nobody may end the Pod any more, in milliseconds since the epoch: a run's own end removes its Pod. */
const leftSince = (pod: PodView, run: RunState): number =>
  (run.state === "closed" ? run.closedAt : (ownerOf(pod).createdAt ?? Number.POSITIVE_INFINITY)) +
  LEFT_TO_ITS_OWNER

/** One that cannot be removed now does not keep the others. */
const remove = (pod: PodView) =>
  release(pod, true).pipe(
    Effect.catch(({ message }) =>
      Effect.logWarning(`Pod ${pod.name} was left by an ended run and is not removed yet: ${message}`)
    )
  )

export const sweep = Effect.fn("orphans.sweep")(function* () {
  const { temporal } = yield* WorkerConfig
  const client = yield* TemporalClient
  const watch = yield* PodWatch
  yield* watch.synced
  const ownNow = Effect.map(client.namespaceId, (namespaceId) => ({
    namespace: temporal.namespace,
    namespaceId
  }))
  const now = yield* Clock.currentTimeMillis
  const look = Effect.fnUntraced(function* (pod: PodView) {
    const { workflowId, runId = "", isGos } = ownerOf(pod)
    // The Go worker's Pods do not say which Temporal they belong to.
    if (workflowId === undefined || isGos || !mayBeOwn(ownerOf(pod), yield* ownNow)) return
    const run = yield* client.lookAt(workflowId, runId)
    if (ownershipOf(pod, run.state, yield* ownNow) === "over" && now > leftSince(pod, run)) yield* remove(pod)
  })
  yield* Effect.forEach(
    yield* watch.live,
    // Where nothing is known of a run now, the next sweep asks again.
    (pod) => Effect.catch(look(pod), ({ message }) => Effect.logDebug(message)),
    { concurrency: AT_A_TIME, discard: true }
  )
})

export const run = periodically(
  { what: "the sweep of ended runs' Pods", first: PERIOD, every: PERIOD },
  sweep()
)
