/** An HTTP server that answers as a test says, and remembers what it was asked. */
import * as Effect from "effect/Effect"
import * as fs from "node:fs/promises"
import * as http from "node:http"
import * as path from "node:path"
import { temporaryFolder } from "../Conditions.ts"

export interface Asked {
  readonly method: string
  readonly url: string
  readonly body: string
  readonly headers: http.IncomingHttpHeaders
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
        const { method = "", url = "", headers } = request
        const call = { method, url, body, headers }
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

interface ScriptedPod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly labels?: object }
}

export interface ScriptedPods {
  readonly answer: Answer
  /** What lists and reads know; a create adds to it, a delete takes away. */
  pods: Array<ScriptedPod>
  version: number
  /** Answers instead, where it says that it did. */
  instead: (asked: Asked, response: http.ServerResponse) => boolean
  /** The version each watch asked from, in their order. */
  readonly watched: Array<string>
  /** Writes to the open watches; an object is a frame, a text stands as it is. */
  readonly send: (...frames: ReadonlyArray<object | string>) => void
  readonly sendBytes: (bytes: Uint8Array) => void
  /** Ends the open watches: well, or as a broken connection. */
  readonly endWatches: (how: "end" | "break") => void
  readonly count: (method: string, pattern: RegExp) => number
}

/** The Pod API with watches that the test writes itself, frame by frame. */
export const scriptedPods = (): ScriptedPods => {
  const watches = new Set<http.ServerResponse>()
  const calls: Array<Asked> = []
  /** What happened before anybody watched: a server tells it to a watch that begins at an older version. */
  const early: Array<string> = []
  const self: ScriptedPods = {
    pods: [],
    version: 10,
    instead: () => false,
    watched: [],
    send: (...frames) => {
      const lines = frames.map((frame) => `${typeof frame === "string" ? frame : JSON.stringify(frame)}\n`)
      if (watches.size === 0) early.push(...lines)
      for (const watch of watches) for (const line of lines) watch.write(line)
    },
    sendBytes: (bytes) => {
      for (const watch of watches) watch.write(bytes)
    },
    endWatches: (how) => {
      for (const watch of watches) {
        if (how === "end") watch.end()
        else watch.destroy()
      }
    },
    count: (method, pattern) =>
      calls.filter((asked) => asked.method === method && pattern.test(asked.url)).length,
    answer: (asked, response) => {
      calls.push(asked)
      const { pathname, searchParams } = new URL(asked.url, "http://x")
      if (searchParams.has("watch")) self.watched.push(searchParams.get("resourceVersion") ?? "")
      if (self.instead(asked, response)) return
      const name = /\/pods\/([^/]+)$/.exec(pathname)?.[1]
      const found = self.pods.find(({ metadata }) => metadata.name === name)
      if (searchParams.has("watch")) {
        response.writeHead(200).flushHeaders()
        watches.add(response)
        for (const line of early.splice(0)) response.write(line)
        response.once("close", () => watches.delete(response))
      } else if (asked.method === "POST" && pathname.endsWith("/pods")) {
        json(response, 201, self.pods[self.pods.push(createdFrom(asked, (self.version += 1))) - 1])
      } else if (asked.method === "POST") {
        json(response, 201, { status: { allowed: true } })
      } else if (name === undefined) {
        json(response, 200, { items: self.pods, metadata: { resourceVersion: String(self.version) } })
      } else if (found === undefined) {
        json(response, 404, { reason: "NotFound", message: `pods "${name}" not found` })
      } else {
        if (asked.method === "DELETE") self.pods = self.pods.filter((pod) => pod !== found)
        json(response, 200, found)
      }
    }
  }
  return self
}

/** What the server makes of a create, as `POST` answers it. */
export const createdFrom = ({ body }: Asked, version: number): ScriptedPod => {
  const pod = JSON.parse(body) as ScriptedPod
  const metadata = { ...pod.metadata, uid: `uid-${version}`, resourceVersion: String(version) }
  return Object.assign(pod, { metadata, status: { phase: "Pending" } })
}
