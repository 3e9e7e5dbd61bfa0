/** A TCP proxy that takes the server behind it away and gives it back, or only leads there from another address. */
import * as Effect from "effect/Effect"
import * as net from "node:net"

export interface TcpProxy {
  /** host:port, in the place of the server's. */
  readonly address: string
  /** Ends every connection and every new one, as a server that is being replaced. */
  readonly refuse: Effect.Effect<void>
  /** Connections stay open and new ones are accepted; nothing passes, as in a network that is parted. */
  readonly hold: Effect.Effect<void>
  /** What is sent arrives, no answer does. */
  readonly mute: Effect.Effect<void>
  /** All that was sent through it while it was mute. */
  readonly sent: () => string
  /** All passes again, also what was held. */
  readonly pass: Effect.Effect<void>
}

type Mode = "pass" | "hold" | "mute" | "refuse"

/** @param host where it listens; closed with the scope */
export const tcpProxy = Effect.fnUntraced(function* (target: string, host = "127.0.0.1") {
  const { hostname, port } = new URL(`tcp://${target}`)
  const asking = new Set<net.Socket>()
  const answering = new Set<net.Socket>()
  let mode: Mode = "pass"
  let sent = ""

  const join = (from: net.Socket, to: net.Socket, side: Set<net.Socket>) => {
    side.add(from)
    from.on("data", (bytes) => to.write(bytes))
    from.on("error", () => from.destroy())
    from.on("close", () => (side.delete(from), to.destroy()))
  }
  const apply = () => {
    const flow = (sockets: ReadonlySet<net.Socket>, flows: boolean) => {
      for (const socket of sockets) socket[flows ? "resume" : "pause"]()
    }
    flow(asking, mode !== "hold")
    flow(answering, mode === "pass")
  }
  const cut = () => {
    for (const socket of [...asking, ...answering]) socket.destroy()
  }
  const become = (next: Mode) =>
    Effect.sync(() => {
      mode = next
      if (mode === "refuse") cut()
      else apply()
    })

  const server = net.createServer((near) => {
    if (mode === "refuse") {
      near.destroy()
      return
    }
    const far = net.connect(Number(port), hostname)
    join(near, far, asking)
    join(far, near, answering)
    near.on("data", (bytes) => {
      if (mode === "mute") sent += bytes.toString("latin1")
    })
    apply()
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, host, () => resume(Effect.void))),
    () => Effect.sync(() => (cut(), server.close()))
  )
  const address = server.address()
  const proxy: TcpProxy = {
    address: `${host}:${typeof address === "object" && address !== null ? address.port : 0}`,
    refuse: become("refuse"),
    hold: become("hold"),
    mute: become("mute"),
    sent: () => sent,
    pass: become("pass")
  }
  return proxy
})
