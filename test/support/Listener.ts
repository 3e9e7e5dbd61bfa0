/** An HTTP server that notes what is posted to it. */
import * as Effect from "effect/Effect"
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import { text } from "node:stream/consumers"

export interface Heard {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** How one request is answered, the first with 1; not at all where it does nothing. */
export type Reply = (response: ServerResponse, heard: Heard, index: number) => void

/** Answers 200 to everything; a path with a number in it such as `/503` is answered with that. */
const asThePathSays: Reply = (response, { path }) => {
  response.statusCode = Number(/\/(\d{3})\b/.exec(path)?.[1] ?? 200)
  response.end()
}

export const listenerThat = Effect.fnUntraced(function* (reply: Reply) {
  const heard: Array<Heard> = []
  let open = 0
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method = "", url: path = "", headers } = request
      const now: Heard = { method, path, headers, body }
      reply(response, now, heard.push(now))
    })
  })
  server.on("connection", (socket) => {
    open += 1
    socket.once("close", () => (open -= 1))
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => (server.closeAllConnections(), server.close()))
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { heard, open: () => open, url: `http://127.0.0.1:${port}` }
})

export const listener = listenerThat(asThePathSays)
