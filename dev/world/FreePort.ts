/** A TCP port of loopback that is free now. */
import { randomInt } from "node:crypto"
import * as net from "node:net"

/**
 * Below those that the kernel gives to outgoing connections (from 32768), and below a cluster's node ports (from 30000):
 * nothing else takes it before who asked for it does.
 */
const FIRST = 20_000
const END = 30_000
const MOST_TRIES = 100

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(false) : reject(error)
    )
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })

export const freePort = async (): Promise<number> => {
  for (let count = 0; count < MOST_TRIES; count++) {
    const port = randomInt(FIRST, END)
    if (await isFree(port)) return port
  }
  throw new Error(`no free port between ${FIRST} and ${END}`)
}
