/** A TCP port that leads to another one: Temporal's development server works on loopback only, Pods are elsewhere. */
import * as Effect from "effect/Effect"
import { connect, createServer, type Socket } from "node:net"

/** @returns the address that was opened on the host, `host:port` */
export const forward = Effect.fnUntraced(function* (host: string, target: string) {
  const [targetHost = "", targetPort] = target.split(":")
  const open = new Set<Socket>()
  const server = createServer((incoming) => {
    const outgoing = connect(Number(targetPort), targetHost)
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming]
    ] as const) {
      open.add(from)
      from.once("error", () => to.destroy()).once("close", () => open.delete(from))
      from.pipe(to)
    }
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, host, () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        server.close()
        for (const socket of open) socket.destroy()
      })
  )
  const address = server.address()
  return `${host}:${typeof address === "object" && address !== null ? address.port : 0}`
})
