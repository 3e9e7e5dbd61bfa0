/** `IndicatorActivity`: puts a failed Pod beside an object of GitOps that OLake's UI cannot use, or takes it away again. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { WorkerConfig } from "../Config.ts"
import { KubernetesClient } from "../kubernetes/api/KubernetesClient.ts"
import { indicatorPod, isIndicator } from "../kubernetes/pod/IndicatorPod.ts"
import { podNamed } from "../kubernetes/PodEnd.ts"
import { maskOf } from "../Masking.ts"
import type { IndicatorRequest } from "../olake/contract/Indicator.ts"
import { InvalidRequest } from "./Activity.ts"

/** The name belongs to a Pod that shows no error. */
export class NoIndicator extends Schema.TaggedError<NoIndicator>()("NoIndicator", { pod: Schema.String }) {
  override get message(): string {
    return `Pod ${this.pod} exists, but it is not an indicator: it has no label olake.io/indicator=true. It was left alone. Delete it, or give the ConfigMap or Secret another name.`
  }
  readonly isRetryable = false
}

/** The old indicator is still being deleted. */
export class IndicatorInTheWay extends Schema.TaggedError<IndicatorInTheWay>()("IndicatorInTheWay", {
  pod: Schema.String
}) {
  override get message(): string {
    return `Pod ${this.pod} was deleted but is still there; the new one needs its name. See kubectl describe pod ${this.pod}.`
  }
  readonly isRetryable = true
}

/** For the old Pod to be gone: 15 s, of the 30 that the workflow gives. */
const UNTIL_GONE = { schedule: Schedule.spaced("500 millis"), times: 30 } as const

/** Its rights, and the request's, end at the namespace of the jobs. */
const requireOwnNamespace = Effect.fnUntraced(function* ({ namespace }: IndicatorRequest) {
  const { namespace: own } = yield* KubernetesClient
  if (namespace === "" || namespace === own) return
  return yield* new InvalidRequest({
    problems: [`namespace: this worker makes Pods in ${own} only (WORKER_NAMESPACE), not in ${namespace}`]
  })
})

/** The Pod of that name; one that is no indicator is not to be touched. */
const find = Effect.fnUntraced(function* (name: string) {
  const found = yield* podNamed(yield* KubernetesClient, name)
  if (found !== undefined && !isIndicator(found.labels)) return yield* new NoIndicator({ pod: name })
  return found
})

const remove = Effect.fnUntraced(function* (name: string) {
  const found = yield* find(name)
  if (found !== undefined) yield* (yield* KubernetesClient).deletePod(name, found.uid)
})

const spawn = Effect.fnUntraced(function* (request: IndicatorRequest) {
  const kubernetes = yield* KubernetesClient
  const config = yield* WorkerConfig
  yield* remove(request.name)
  const message = maskOf(config)(request.message)
  const pod = indicatorPod(request, message, kubernetes.namespace, config.jobs)
  yield* kubernetes.createPod(pod).pipe(
    Effect.asVoid,
    Effect.catchIf(
      (error) => error.alreadyExists,
      () =>
        Effect.flatMap(find(request.name), (found) =>
          // The old one takes its time; or another attempt has made it meanwhile.
          found === undefined || found.deletionTimestamp !== undefined
            ? Effect.fail(new IndicatorInTheWay({ pod: request.name }))
            : Effect.void
        )
    ),
    Effect.retry({ ...UNTIL_GONE, while: ({ _tag }) => _tag === "IndicatorInTheWay" })
  )
})

export const indicator = Effect.fn("activity.indicator")(
  function* (request: IndicatorRequest) {
    yield* requireOwnNamespace(request)
    yield* request.action === "spawn" ? spawn(request) : remove(request.name)
    yield* Effect.logInfo(`indicator ${request.action === "spawn" ? "created" : "deleted"}`)
  },
  (effect, { name, kind }) => Effect.annotateLogs(effect, { operation: "indicator", pod: name, kind })
)
