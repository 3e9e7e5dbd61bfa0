/**
 * Takes over at once what a worker that died has left. Temporal would wait for the dead worker's heartbeat timeout, 60 to
 * 120 s, before it hands an activity out again. A worker that starts looks for the Pods of open runs, and where nothing
 * is heard of the worker that waited for one, it fails that attempt in its stead: the next one finds the Pod, as always.
 *
 * A mistake costs little: an attempt that is failed under a living worker ends silently, and another takes its place.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { WorkerConfig } from "../Config.ts"
import { NAMESPACE_ANNOTATION, RUN_ID_ANNOTATION, WORKFLOW_ID_ANNOTATION } from "../kubernetes/PodSpec.ts"
import type { PodView } from "../kubernetes/PodView.ts"
import { PodWatch } from "../kubernetes/PodWatch.ts"
import { TemporalClient } from "../temporal/TemporalClient.ts"

/** Temporal hears of a living worker's activity every 5 s. */
const SILENCE = Duration.toMillis("8 seconds")
/** How long it looks: what died with us was heard of a moment ago, perhaps. */
const LOOKS = 20
const PAUSE = "1 second"
/** Describes at a time. */
const AT_A_TIME = 20

/** These have no heartbeat timeout, so that Temporal hears of them rarely. */
const SELDOM_HEARD: ReadonlyArray<string> = ["StopActivity", "SendWebhookNotificationActivity"]

interface Run {
  readonly workflowId: string
  readonly runId: string
}

/** The runs that Pods were made for, in this Temporal namespace; the Go worker's Pods do not name theirs. */
const runsOf = (pods: ReadonlyArray<PodView>, namespace: string): ReadonlyArray<Run> =>
  pods.flatMap(({ annotations }) => {
    const workflowId = annotations[WORKFLOW_ID_ANNOTATION]
    return workflowId === undefined || (annotations[NAMESPACE_ANNOTATION] ?? namespace) !== namespace
      ? []
      : [{ workflowId, runId: annotations[RUN_ID_ANNOTATION] ?? "" }]
  })

/** Ends by itself once nothing that was left is open any more. */
export const run = Effect.gen(function* () {
  const { temporal, kubernetes } = yield* WorkerConfig
  const client = yield* TemporalClient
  const watch = yield* PodWatch
  const began = yield* Clock.currentTimeMillis
  const ourselves = `${kubernetes.podName}@${temporal.taskQueue}`
  yield* watch.synced
  const pods: Array<PodView> = []
  yield* watch.find((view) => (pods.push(view), false))

  /** True once the run's activities are all in good hands. */
  const look = Effect.fnUntraced(function* ({ workflowId, runId }: Run) {
    const now = yield* Clock.currentTimeMillis
    let settled = true
    for (const attempt of yield* client.attempts(workflowId, runId)) {
      if (SELDOM_HEARD.includes(attempt.type)) continue
      // Taken by this very process.
      if (attempt.identity === ourselves && attempt.startedAt >= began) continue
      const isLeft =
        attempt.identity === ourselves || now - Math.max(attempt.startedAt, attempt.heardAt) > SILENCE
      if (isLeft) {
        yield* client.failAttempt(workflowId, runId, attempt.activityId)
        yield* Effect.logInfo(
          `${attempt.type} of ${workflowId} was left by ${attempt.identity}: taken over now`
        )
      } else settled = false
    }
    return settled
  })

  let open = runsOf(pods, temporal.namespace)
  for (let turn = 0; turn < LOOKS && open.length > 0; turn++) {
    if (turn > 0) yield* Effect.sleep(PAUSE)
    const settled = yield* Effect.forEach(
      open,
      (one) => look(one).pipe(Effect.catch(() => Effect.succeed(false))),
      { concurrency: AT_A_TIME }
    )
    open = open.filter((_, index) => settled[index] !== true)
  }
}).pipe(Effect.catchDefect((defect) => Effect.logError("the takeover at the start met a bug", defect)))
