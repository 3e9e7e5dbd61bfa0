/**
 * The few Kubernetes API calls this worker makes, in the namespace of its jobs. A call that failed
 * transiently is tried again here, briefly; anything longer is the workflow's to wait for.
 */
import type { V1Pod, V1Secret } from "@kubernetes/client-node"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import type * as Stream from "effect/Stream"
import { WorkerConfig } from "../../Config.ts"
import { callSeconds, timed } from "../../Metrics.ts"
import { capped } from "../../Schedules.ts"
import * as ApiInspection from "./ApiInspection.ts"
import * as ApiLists from "./ApiLists.ts"
import * as ApiTransport from "./ApiTransport.ts"
import { loadKubeConfig } from "./ApiTransport.ts"
import type { KubernetesError } from "./KubernetesError.ts"
import type { PodJson } from "../pod/PodJson.ts"
import { unreadable, type WatchFrame } from "./ApiLists.ts"

/** What is read of a ConfigMap. */
export interface ConfigMapJson {
  readonly metadata: { readonly name?: string; readonly resourceVersion?: string }
  readonly data?: Readonly<Record<string, string>>
}

const requests = Metric.counter("kubernetes_requests_total", {
  description: "Requests to the Kubernetes API, by verb and HTTP status (0: no answer)",
  incremental: true
})

const seconds = callSeconds(
  "kubernetes_request_seconds",
  "Seconds that a request to the Kubernetes API took, by verb and result: ok, or the HTTP status (0: no answer)"
)

/** 0.2 s doubling to 5 s, about 20 s in all; a Retry-After is obeyed instead. */
const transient = capped("200 millis", "5 seconds", { jittered: true, times: 7 }).pipe(
  Schedule.setInputType<KubernetesError>(),
  Schedule.while(({ input }) => input.isTransient),
  Schedule.modifyDelay(({ input, duration }) =>
    Effect.succeed(Duration.max(duration, Duration.seconds(Math.min(input.retryAfter ?? 0, 60))))
  )
)

export class KubernetesClient extends Context.Service<
  KubernetesClient,
  {
    readonly namespace: string
    /** Not repeated on a lost answer: the Pod may exist, the caller looks. */
    readonly createPod: (pod: V1Pod) => Effect.Effect<PodJson, KubernetesError>
    readonly readPod: (name: string) => Effect.Effect<PodJson, KubernetesError>
    /** Deletes that very Pod and no later one of the same name; a Pod already gone is success. */
    readonly deletePod: (name: string, uid: string) => Effect.Effect<void, KubernetesError>
    /** The end of the main container's log, at most 200 lines. */
    readonly readPodLog: (name: string, container: string) => Effect.Effect<string, KubernetesError>
    readonly listPods: (labelSelector: string) => Effect.Effect<ApiLists.Listed<PodJson>, KubernetesError>
    /** One watch, as long as the server keeps it; an ERROR frame is a failure. Bookmarks included. */
    readonly watchPods: (
      labelSelector: string,
      resourceVersion: string,
      timeout: Duration.Duration
    ) => Stream.Stream<WatchFrame<PodJson>, KubernetesError>
    /** The one of that name, or none. */
    readonly listConfigMap: (name: string) => Effect.Effect<ApiLists.Listed<ConfigMapJson>, KubernetesError>
    readonly watchConfigMap: (
      name: string,
      resourceVersion: string,
      timeout: Duration.Duration
    ) => Stream.Stream<WatchFrame<ConfigMapJson>, KubernetesError>
    /** An existing Secret of that name is success. */
    readonly createSecret: (secret: V1Secret) => Effect.Effect<void, KubernetesError>
    /** Whether this process may do it (SelfSubjectAccessReview); to that one object, where a name is given. */
    readonly mayI: (verb: string, resource: string, name?: string) => Effect.Effect<boolean, KubernetesError>
  } & ApiInspection.ApiInspection
>()("olake-worker/kubernetes/KubernetesClient") {
  static readonly layer = Layer.effect(
    KubernetesClient,
    Effect.gen(function* () {
      const { kubernetes } = yield* WorkerConfig
      const kubeConfig = yield* loadKubeConfig(kubernetes.kubeconfig)
      const transport = ApiTransport.make(kubeConfig, `olake-worker (${kubernetes.podName})`)
      const core = `/api/v1/namespaces/${encodeURIComponent(kubernetes.namespace)}`
      const pod = (name: string) => `${core}/pods/${encodeURIComponent(name)}`

      const counted =
        (verb: string) =>
        <A>(call: Effect.Effect<A, KubernetesError>) =>
          call.pipe(
            Effect.tap(() => Metric.update(Metric.withAttributes(requests, { verb, code: "2xx" }), 1)),
            Effect.tapError((error) =>
              Metric.update(Metric.withAttributes(requests, { verb, code: String(error.status) }), 1)
            ),
            timed(seconds, { verb }, ({ status }) => String(status))
          )
      // SAFETY: the API server's answers are what the Kubernetes API documents; only optional fields are read of them.
      const json = <A>(verb: string, request: ApiTransport.ApiRequest) =>
        transport.text(request).pipe(
          Effect.flatMap((text) =>
            Effect.try({ try: () => JSON.parse(text) as A, catch: () => unreadable(request.operation, text) })
          ),
          counted(verb)
        )

      const { list, watch } = ApiLists.make(transport, core, json, transient)

      return KubernetesClient.of({
        namespace: kubernetes.namespace,
        createPod: (body) =>
          json<PodJson>("create", {
            operation: `create Pod ${body.metadata?.name}`,
            method: "POST",
            path: `${core}/pods`,
            query: { fieldValidation: "Strict" },
            body
          }),
        readPod: (name) =>
          json<PodJson>("get", { operation: `read Pod ${name}`, method: "GET", path: pod(name) }).pipe(
            Effect.retry(transient)
          ),
        deletePod: (name, uid) =>
          json<unknown>("delete", {
            operation: `delete Pod ${name}`,
            method: "DELETE",
            path: pod(name),
            body: { preconditions: { uid }, propagationPolicy: "Background" }
          }).pipe(
            Effect.retry(transient),
            // A conflict says that a Pod of this name lives, but another one: ours is gone.
            Effect.catchIf(
              (error) => error.isNotFound || error.isConflict,
              () => Effect.void
            ),
            Effect.asVoid
          ),
        readPodLog: (name, container) =>
          transport
            .text({
              operation: `read the log of Pod ${name}`,
              method: "GET",
              path: `${pod(name)}/log`,
              query: { container, tailLines: 200, limitBytes: 262_144 }
            })
            .pipe(
              counted("log"),
              Effect.retry(transient),
              // The kubelet says this with status 200 when the container's log is gone.
              Effect.filterOrFail(
                (text) => !text.startsWith("unable to retrieve container logs for "),
                (text) => unreadable(`read the log of Pod ${name}`, text)
              )
            ),
        listPods: (labelSelector) => list<PodJson>("Pods", { labelSelector }),
        watchPods: (labelSelector, version, timeout) =>
          watch<PodJson>("Pods", { labelSelector }, version, timeout),
        listConfigMap: (name) => list<ConfigMapJson>("ConfigMaps", ApiLists.named(name)),
        watchConfigMap: (name, version, timeout) =>
          watch<ConfigMapJson>("ConfigMaps", ApiLists.named(name), version, timeout),
        createSecret: (body) =>
          json<unknown>("create", {
            operation: `create Secret ${body.metadata?.name}`,
            method: "POST",
            path: `${core}/secrets`,
            body
          }).pipe(
            Effect.retry(transient),
            Effect.catchIf(
              (error) => error.alreadyExists,
              () => Effect.void
            ),
            Effect.asVoid
          ),
        ...ApiInspection.make(transport, core, json),
        mayI: (verb, resource, name) =>
          json<{ status?: { allowed?: boolean } }>("create", {
            operation: `ask whether it may ${verb} ${resource}`,
            method: "POST",
            path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            body: {
              apiVersion: "authorization.k8s.io/v1",
              kind: "SelfSubjectAccessReview",
              spec: {
                resourceAttributes: {
                  namespace: kubernetes.namespace,
                  verb,
                  ...splitResource(resource),
                  ...(name === undefined ? {} : { name })
                }
              }
            }
          }).pipe(
            Effect.retry(transient),
            Effect.map((review) => review.status?.allowed === true)
          )
      })
    })
  )
}

const splitResource = (resource: string) => {
  const [name, subresource] = resource.split("/")
  return { group: "", resource: name, ...(subresource === undefined ? {} : { subresource }) }
}
