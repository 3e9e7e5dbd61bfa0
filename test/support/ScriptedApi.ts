/** An HTTP server that answers as a test says, and remembers what it was asked. */
import * as Effect from "effect/Effect"
import * as fs from "node:fs/promises"
import * as http from "node:http"
import * as path from "node:path"
import { temporaryFolder } from "../dev/support.ts"

export interface Asked {
  readonly method: string
  readonly url: string
  readonly body: string
}

export interface ScriptedApi {
  readonly kubeconfigPath: string
  readonly asked: ReadonlyArray<Asked>
  readonly connections: () => number
  readonly open: () => number
}

export type Answer = (asked: Asked, response: http.ServerResponse, index: number) => void

export const json = (
  response: http.ServerResponse,
  code: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {}
) => {
  response.writeHead(code, { "content-type": "application/json", ...headers })
  response.end(typeof body === "string" ? body : JSON.stringify(body))
}

export const scriptedApi = (answer: Answer) =>
  Effect.gen(function* () {
    const asked: Array<Asked> = []
    let connections = 0
    let open = 0
    const server = http.createServer((request, response) => {
      let body = ""
      request.setEncoding("utf8").on("data", (text: string) => (body += text))
      request.on("end", () => {
        const call = { method: request.method ?? "", url: request.url ?? "", body }
        asked.push(call)
        answer(call, response, asked.length)
      })
    })
    server.on("connection", (socket) => {
      connections += 1
      open += 1
      socket.once("close", () => (open -= 1))
    })
    const port = yield* Effect.acquireRelease(
      Effect.callback<number>((resume) => {
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
        })
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const folder = yield* temporaryFolder
    const kubeconfigPath = path.join(folder, "config")
    const kubeconfig = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        { name: "c", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } }
      ],
      users: [{ name: "u", user: { token: "marker-of-a-token" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x"
    }
    yield* Effect.promise(() => fs.writeFile(kubeconfigPath, JSON.stringify(kubeconfig)))
    return { kubeconfigPath, asked, connections: () => connections, open: () => open } satisfies ScriptedApi
  })
