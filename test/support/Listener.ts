/** An HTTP server that notes what is posted to it. */
import * as Effect from "effect/Effect"
import { createServer } from "node:http"
import { text } from "node:stream/consumers"

export interface Heard {
  readonly path: string
  readonly body: string
}

/** Answers 200 to everything; a path with a number in it such as `/503` is answered with that. */
export const listener = Effect.gen(function* () {
  const heard: Array<Heard> = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      heard.push({ path: request.url ?? "", body })
      response.statusCode = Number(/\/(\d{3})\b/.exec(request.url ?? "")?.[1] ?? 200)
      response.end()
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => (server.closeAllConnections(), server.close()))
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { heard, url: `http://127.0.0.1:${port}` }
})
