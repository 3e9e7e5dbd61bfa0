/** A container registry that answers, and has no image. On loopback, where containerd speaks plain HTTP to it. */
import * as Effect from "effect/Effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const UNKNOWN = JSON.stringify({ errors: [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }] })

/** `host:port`, until the scope ends. */
export const emptyRegistry = Effect.acquireRelease(
  Effect.callback<ReturnType<typeof createServer>>((resume) => {
    const server = createServer((request, response) => {
      response.setHeader("content-type", "application/json")
      response.statusCode = request.url === "/v2/" ? 200 : 404
      response.end(request.url === "/v2/" ? "{}" : UNKNOWN)
    })
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => (server.closeAllConnections(), server.close()))
).pipe(
  // SAFETY: it listens on TCP.
  Effect.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`)
)
