/** Calls that look at the cluster and change nothing; each is made once. */
import type { V1Pod, V1Taint } from "@kubernetes/client-node"
import * as Effect from "effect/Effect"
import type * as ApiTransport from "./ApiTransport.ts"
import type { KubernetesError } from "./KubernetesError.ts"

export interface ServerView {
  /** Such as `v1.34.4`. */
  readonly version: string
  /** Milliseconds since the epoch, to the second; NaN where the server does not say. */
  readonly date: number
}

/** What is read of a PersistentVolumeClaim. */
export interface ClaimJson {
  readonly spec?: { readonly accessModes?: ReadonlyArray<string>; readonly storageClassName?: string }
  readonly status?: { readonly phase?: string }
}

/** What is read of a Node. */
export interface NodeJson {
  readonly metadata: { readonly name?: string; readonly labels?: Readonly<Record<string, string>> }
  readonly spec?: { readonly taints?: ReadonlyArray<V1Taint> }
}

export interface ApiInspection {
  readonly server: Effect.Effect<ServerView, KubernetesError>
  /** As whom the API server knows this process; undefined where it does not tell. */
  readonly whoAmI: Effect.Effect<string | undefined, KubernetesError>
  readonly readClaim: (name: string) => Effect.Effect<ClaimJson, KubernetesError>
  readonly listNodes: Effect.Effect<ReadonlyArray<NodeJson>, KubernetesError>
  /** Whether the API server would take that Pod; nothing is made. */
  readonly tryPod: (pod: V1Pod) => Effect.Effect<void, KubernetesError>
}

/**
 * @param core path of the namespace
 * @param json one request, its answer parsed
 */
export const make = (
  transport: ApiTransport.ApiTransport,
  core: string,
  json: <A>(verb: string, request: ApiTransport.ApiRequest) => Effect.Effect<A, KubernetesError>
): ApiInspection => ({
  server: transport.dated({ operation: "ask for its version", method: "GET", path: "/version" }).pipe(
    Effect.map(({ text, date }) => ({
      version: /"gitVersion"\s*:\s*"([^"]*)"/.exec(text)?.[1] ?? "of no known version",
      date
    }))
  ),
  whoAmI: json<{ status?: { userInfo?: { username?: string } } }>("create", {
    operation: "ask who this is",
    method: "POST",
    path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" }
  }).pipe(
    Effect.map(({ status }) => status?.userInfo?.username),
    // Before Kubernetes 1.28.
    Effect.catchIf(
      ({ isNotFound }) => isNotFound,
      () => Effect.succeed(undefined)
    )
  ),
  readClaim: (name) =>
    json<ClaimJson>("get", {
      operation: `read PersistentVolumeClaim ${name}`,
      method: "GET",
      path: `${core}/persistentvolumeclaims/${encodeURIComponent(name)}`
    }),
  listNodes: json<{ items?: ReadonlyArray<NodeJson> }>("list", {
    operation: "list Nodes",
    method: "GET",
    path: "/api/v1/nodes"
  }).pipe(Effect.map(({ items }) => items ?? [])),
  tryPod: (body) =>
    json<unknown>("create", {
      operation: `try Pod ${body.metadata?.name}`,
      method: "POST",
      path: `${core}/pods`,
      query: { fieldValidation: "Strict", dryRun: "All" },
      body
    }).pipe(Effect.asVoid)
})
