/**
 * Takes over at once what a worker that died has left. Temporal would wait for the dead worker's heartbeat timeout, 60 to
 * 120 s, before it hands an activity out again. A worker that starts looks for open runs, by their Pods and in Temporal, and where nothing
 * is heard of the worker that waited for one, it fails that attempt in its stead: the next one finds the Pod, as always.
 * The same after Temporal was away: what was answered meanwhile is dropped by the SDK, and nobody works at it any more.
 *
 * A mistake costs an attempt: the living worker's ends silently, and another takes its place.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { WorkerConfig } from "../Config.ts"
import { mayBeOwn, type OwnTemporal } from "../kubernetes/pod/Ownership.ts"
import { ownerOf } from "../kubernetes/pod/PodIdentity.ts"
import type { PodView } from "../kubernetes/pod/PodView.ts"
import { PodWatch } from "../kubernetes/PodWatch.ts"
import type { Attempt } from "../temporal/RunDescription.ts"
import { type RunId, TemporalClient } from "../temporal/TemporalClient.ts"
import { afterEachOutage } from "../temporal/TemporalOutage.ts"
import { withoutDefects } from "./Periodically.ts"

interface Patience {
  /** Without a heartbeat, by our clock: then the attempt's worker counts as gone. Milliseconds. */
  readonly silence: number
  /** How long it looks, in milliseconds; a worker that lives is known for it by then. */
  readonly looking: number
}

/** Temporal hears of a living worker's activity every 5 s; with this the next one waits for all within 10 s of its start. */
export const AT_START: Patience = {
  silence: Duration.toMillis("7 seconds"),
  looking: Duration.toMillis("25 seconds")
}
/** The SDK asks every 5 s at last whether the frontend is back, and only then with a heartbeat. */
const AFTER_OUTAGE: Patience = {
  silence: Duration.toMillis("15 seconds"),
  looking: Duration.toMillis("40 seconds")
}
/** Between two looks at all that is open, unless an attempt will have been silent for long enough sooner. */
const PAUSE = Duration.toMillis("2 seconds")
const SHORTEST_PAUSE = 100
/** Describes at a time. */
const AT_A_TIME = 40

/** These have no heartbeat timeout, so that Temporal hears of them rarely. */
const SELDOM_HEARD: ReadonlyArray<string> = ["StopActivity", "SendWebhookNotificationActivity"]

/** The runs that Pods were made for, of this Temporal; the Go worker's Pods do not name theirs. */
const runsOf = (pods: ReadonlyArray<PodView>, own: OwnTemporal): ReadonlyArray<RunId> =>
  pods.flatMap((pod) => {
    const owner = ownerOf(pod)
    return owner.workflowId === undefined || !mayBeOwn(owner, own)
      ? []
      : [{ workflowId: owner.workflowId, runId: owner.runId ?? "" }]
  })

const distinct = (runs: ReadonlyArray<RunId>): ReadonlyArray<RunId> => [
  ...new Map(runs.map((run) => [`${run.workflowId} ${run.runId}`, run])).values()
]

/**
 * Of a worker like this one, which is heard of every few seconds: `name@queue`. The Go worker is heard of less often, and
 * gives most of its activities one attempt only.
 */
const isOfOurs = ({ identity, type, isLast }: Attempt, taskQueue: string): boolean =>
  identity.split("@").length === 2 &&
  identity.endsWith(`@${taskQueue}`) &&
  !isLast &&
  !SELDOM_HEARD.includes(type)

/** Ends by itself once nothing that was left is open any more. */
export const takeOver = Effect.fnUntraced(function* ({ silence, looking }: Patience) {
  const { temporal } = yield* WorkerConfig
  const client = yield* TemporalClient
  const watch = yield* PodWatch
  yield* watch.synced
  /** What was last heard of an attempt, and when that was, by our clock: Temporal's may differ. */
  const heard = new Map<string, { readonly of: number; readonly at: number }>()

  /** True once the run's activities are all in good hands. */
  const look = Effect.fnUntraced(function* ({ workflowId, runId }: RunId) {
    const now = yield* Clock.currentTimeMillis
    const attempts = yield* client.attempts(workflowId, runId)
    for (const attempt of attempts.filter((one) => isOfOurs(one, temporal.taskQueue))) {
      const key = `${workflowId} ${runId} ${attempt.activityId}`
      const of = Math.max(attempt.startedAt, attempt.heardAt)
      const before = heard.get(key)
      if (before === undefined || before.of !== of) heard.set(key, { of, at: now })
      else if (now - before.at > silence) {
        yield* client.failAttempt(workflowId, runId, attempt.activityId)
        yield* Effect.logInfo(
          `${attempt.type} of ${workflowId} was left by ${attempt.identity}: taken over now`
        )
        heard.delete(key)
      }
    }
    return attempts.length === 0
  })

  const own = { namespace: temporal.namespace, namespaceId: yield* client.namespaceId }
  // A run may have lost its Pod while no worker lived.
  let open = distinct([...runsOf(yield* watch.live, own), ...(yield* client.openWriters)])
  const began = yield* Clock.currentTimeMillis
  while (open.length > 0) {
    const settled = yield* Effect.forEach(
      open,
      (one) => look(one).pipe(Effect.catch(() => Effect.succeed(false))),
      { concurrency: AT_A_TIME }
    )
    open = open.filter((_, index) => settled[index] !== true)
    const now = yield* Clock.currentTimeMillis
    if (now - began > looking) return
    const due = Math.min(...Array.from(heard.values(), ({ at }) => at + silence + 1 - now), PAUSE)
    yield* Effect.sleep(Math.max(due, SHORTEST_PAUSE))
  }
}, withoutDefects("the takeover"))

export const run = Effect.andThen(takeOver(AT_START), afterEachOutage(takeOver(AFTER_OUTAGE)))
