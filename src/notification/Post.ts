/** One POST of JSON: its status, and when the server wants to be asked again. The URL may be a secret: it is never said. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"
import { bounded } from "../Schedules.ts"

export interface Answer {
  readonly status: number
  /** The seconds of Retry-After. */
  readonly retryAfter: number | undefined
}

/** Why there was no answer, in words that do not tell the URL. */
export type NoAnswer = string

const reasonOf = (cause: unknown): NoAnswer => {
  if (cause instanceof Error && cause.cause !== undefined) return reasonOf(cause.cause)
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  return typeof code === "string" ? code : "the request failed"
}

/** node:http, not `fetch`: that costs 10 MiB of memory for good. Redirects are not followed. */
export const make = Effect.gen(function* () {
  const client = yield* HttpClient.HttpClient
  return (url: string, body: unknown, limit: Duration.Duration): Effect.Effect<Answer, NoAnswer> =>
    client.execute(HttpClientRequest.post(url).pipe(HttpClientRequest.bodyJsonUnsafe(body))).pipe(
      // Node throws for some URLs, such as one with a broken escape in its user.
      Effect.catchDefect(Effect.fail),
      Effect.mapError(reasonOf),
      bounded(limit, Effect.fail),
      Effect.tap(drained),
      Effect.map(({ status, headers }) => ({ status, retryAfter: secondsOf(headers["retry-after"]) })),
      // A span would carry the URL.
      Effect.provideService(HttpClient.TracerDisabledWhen, () => true)
    )
})

/** The body is kept nowhere, and must not turn an answer into none: what was posted would be posted again. */
const drained = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<void> =>
  Stream.runDrain(response.stream).pipe(Effect.timeout("1 second"), Effect.ignore)

const secondsOf = (header: string | undefined): number | undefined =>
  header !== undefined && /^\d+$/.test(header) ? Number(header) : undefined

export const { layerNodeHttp: layer } = NodeHttpClient
