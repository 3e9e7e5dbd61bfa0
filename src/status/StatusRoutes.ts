/** `GET /jobs` and the page at `/`, on the port of health. Read-only; nothing of a request is used but its path. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { WorkerConfig } from "../Config.ts"
import { html, policy } from "./page/Page.ts"
import { RunRegistry } from "./RunRegistry.ts"

/** No other site may frame, read or keep it. */
const headers = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY"
}

const notAllowed = HttpServerResponse.text("Only GET is allowed here.\n", {
  status: 405,
  headers: { ...headers, allow: "GET, HEAD" }
})

const readOnly =
  <R>(answer: Effect.Effect<HttpServerResponse.HttpServerResponse, never, R>) =>
  ({ method }: HttpServerRequest.HttpServerRequest) =>
    method === "GET" || method === "HEAD" ? answer : Effect.succeed(notAllowed)

const page = HttpServerResponse.text(html, {
  contentType: "text/html; charset=utf-8",
  headers: { ...headers, "content-security-policy": policy }
})

/** How long an answer is good for: however many ask, the runs are looked through once in that time. */
const AGE = "500 millis"

export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { health } = yield* WorkerConfig
    if (!health.statusPage) return Layer.empty
    const { document } = yield* RunRegistry
    const jobs = yield* Effect.cachedWithTTL(
      Effect.map(document, (answer) => `${JSON.stringify(answer)}\n`),
      AGE
    )
    return Layer.mergeAll(
      HttpRouter.add("*", "/", readOnly(Effect.succeed(page))),
      HttpRouter.add(
        "*",
        "/jobs",
        readOnly(
          Effect.map(jobs, (text) =>
            HttpServerResponse.text(text, { contentType: "application/json; charset=utf-8", headers })
          )
        )
      )
    )
  })
)
