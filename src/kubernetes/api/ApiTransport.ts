/**
 * HTTP to the API server of a KubeConfig: one keep-alive pool for calls, a socket of its own for each
 * stream. Credentials are asked of the KubeConfig at every request, so a rotated token or CA is picked up.
 * client-node's own transport is not used: it opens a TLS connection per call.
 */
import { KubeConfig } from "@kubernetes/client-node"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import * as http from "node:http"
import * as https from "node:https"
import { bounded } from "../../Schedules.ts"
import { KubernetesError } from "./KubernetesError.ts"
import { existsSync } from "node:fs"

export interface ApiRequest {
  /** For people: `create Pod x`. */
  readonly operation: string
  readonly method: "GET" | "POST" | "DELETE"
  readonly path: string
  readonly query?: Readonly<Record<string, string | number>>
  readonly body?: unknown
}

export interface ApiTransport {
  /** The whole answer as text. */
  readonly text: (request: ApiRequest) => Effect.Effect<string, KubernetesError>
  /** The same, with the server's clock: milliseconds since the epoch, to the second. NaN where it does not say. */
  readonly dated: (
    request: ApiRequest
  ) => Effect.Effect<{ readonly text: string; readonly date: number }, KubernetesError>
  /** The answer line by line, as it comes; ends when the server ends it. */
  readonly lines: (request: ApiRequest) => Stream.Stream<string, KubernetesError>
}

/** Longest time for a whole answer, or for a stream's first line of it. A stream's own silence is its reader's matter. */
const ANSWER_TIMEOUT = "30 seconds"
/** Larger answers are refused rather than held in memory: a list page is about 6 KB a Pod. */
const MAX_BODY = 64 * 1024 * 1024

const networkError =
  (operation: string) =>
  (cause: unknown): KubernetesError =>
    new KubernetesError({
      operation,
      status: 0,
      reason: Predicate.hasProperty(cause, "code") ? String(cause.code) : "NetworkError",
      detail: cause instanceof Error ? cause.message : String(cause)
    })

const statusError = (operation: string, response: http.IncomingMessage, body: string): KubernetesError => {
  let status: { readonly reason?: string; readonly message?: string } = {}
  try {
    status = Object(JSON.parse(body)) as typeof status // SAFETY: only two optional texts are read of it
  } catch {
    status = { message: body.slice(0, 200) }
  }
  const seconds = Number(response.headers["retry-after"])
  return new KubernetesError({
    operation,
    status: response.statusCode ?? 0,
    reason: status.reason || http.STATUS_CODES[response.statusCode ?? 0] || "Unknown",
    detail: status.message ?? "",
    ...(Number.isFinite(seconds) && seconds > 0 ? { retryAfter: seconds } : {})
  })
}

export const make = (kubeConfig: KubeConfig, userAgent: string): ApiTransport => {
  const cluster = kubeConfig.getCurrentCluster()
  const server = new URL(cluster?.server ?? "")
  const module = server.protocol === "https:" ? https : http
  const pool = new module.Agent({
    keepAlive: true,
    keepAliveMsecs: 15_000,
    maxSockets: 16,
    scheduling: "lifo"
  })

  const send = async (
    request: ApiRequest,
    signal: AbortSignal,
    streaming: boolean
  ): Promise<http.IncomingMessage> => {
    const query = new URLSearchParams(
      Object.entries(request.query ?? {}).map(([k, v]): [string, string] => [k, String(v)])
    )
    const body = request.body === undefined ? undefined : JSON.stringify(request.body)
    const options: https.RequestOptions = {
      method: request.method,
      hostname: server.hostname.replace(/^\[|\]$/g, ""),
      port: server.port || (module === https ? 443 : 80),
      path: `${server.pathname.replace(/\/$/, "")}${request.path}${query.size > 0 ? `?${query.toString()}` : ""}`,
      headers: {
        accept: "application/json",
        "user-agent": userAgent,
        ...(body === undefined
          ? {}
          : {
              "content-type": "application/json",
              "content-length": Buffer.byteLength(body)
            })
      },
      signal
    }
    await kubeConfig.applyToHTTPSOptions(options)
    if (cluster?.proxyUrl === undefined) options.agent = streaming ? false : pool
    return new Promise((resolve, reject) => {
      const outgoing = module.request(options, resolve).once("error", reject)
      outgoing.once("socket", (socket) => socket.setKeepAlive(true, 15_000))
      outgoing.end(body)
    })
  }

  const read = async (response: http.IncomingMessage): Promise<string> => {
    const chunks: Array<Buffer> = []
    let size = 0
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > MAX_BODY) throw new Error(`answer larger than ${MAX_BODY} bytes`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString("utf8")
  }

  const exchange = (request: ApiRequest, streaming: boolean) =>
    Effect.tryPromise({
      try: async (signal) => {
        // A stream outlives this call, so it has an abort of its own; until the headers come the caller's counts too.
        const abort = new AbortController()
        const forward = () => abort.abort(signal.reason)
        signal.addEventListener("abort", forward, { once: true })
        try {
          const response = await send(request, abort.signal, streaming)
          const failed = (response.statusCode ?? 500) >= 400
          if (failed) throw statusError(request.operation, response, await read(response))
          return streaming ? { response, body: "" } : { response, body: await read(response) }
        } finally {
          signal.removeEventListener("abort", forward)
        }
      },
      catch: (cause) => (cause instanceof KubernetesError ? cause : networkError(request.operation)(cause))
    }).pipe(
      bounded(ANSWER_TIMEOUT, (detail) =>
        Effect.fail(
          new KubernetesError({ operation: request.operation, status: 0, reason: "Timeout", detail })
        )
      )
    )

  return {
    text: (request) => Effect.map(exchange(request, false), ({ body }) => body),
    dated: (request) =>
      Effect.map(exchange(request, false), ({ body, response }) => ({
        text: body,
        date: Date.parse(response.headers.date ?? "")
      })),
    lines: (request) =>
      Stream.unwrap(
        Effect.map(
          Effect.acquireRelease(
            exchange(request, true),
            ({ response }) => Effect.sync(() => response.destroy()),
            {
              interruptible: true
            }
          ),
          ({ response }) =>
            Stream.fromAsyncIterable(
              response as AsyncIterable<Uint8Array>,
              networkError(request.operation)
            ).pipe(Stream.decodeText(), Stream.splitLines)
        )
      )
  }
}

export class KubernetesConfigError extends Error {
  readonly _tag = "KubernetesConfigError"
  readonly isRetryable = false
}

export const loadKubeConfig = (path: string | undefined) =>
  Effect.try({
    try: () => {
      const kubeConfig = new KubeConfig()
      if (path !== undefined) kubeConfig.loadFromFile(path)
      else if (existsSync("/var/run/secrets/kubernetes.io/serviceaccount/token")) kubeConfig.loadFromCluster()
      else kubeConfig.loadFromDefault()
      if (!kubeConfig.getCurrentCluster()?.server) throw new Error("it names no current cluster")
      return kubeConfig
    },
    catch: (cause) =>
      new KubernetesConfigError(
        `Kubernetes: cannot use ${path === undefined ? "the default kubeconfig" : `KUBECONFIG=${path}`}: ${
          cause instanceof Error ? cause.message : String(cause)
        }. Set KUBECONFIG to a kubeconfig file, or run in a cluster with a ServiceAccount.`
      )
  })
