/** Plain fetch against LocalPods, and Pods to create there. */
import * as Effect from "effect/Effect"
import { LocalPods } from "../../dev/local-pods/LocalPods.ts"
import { eventually } from "./Conditions.ts"

export interface Answer {
  readonly code: number
  // oxlint-disable-next-line typescript/no-explicit-any -- the API's JSON, looked at as a client without types would
  readonly body: any
}

export const call = (method: string, path: string, body?: unknown) =>
  Effect.gen(function* () {
    const { url } = yield* LocalPods
    return yield* Effect.promise(async (): Promise<Answer> => {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      const text = await response.text()
      const isJson = response.headers.get("content-type")?.includes("json") === true
      return { code: response.status, body: isJson ? JSON.parse(text) : text }
    })
  })

export const PODS = "/api/v1/namespaces/olake/pods"
export const SECRETS = "/api/v1/namespaces/olake/secrets"

export interface PodOptions {
  readonly image?: string
  readonly command?: ReadonlyArray<string>
  readonly args?: ReadonlyArray<string>
  readonly labels?: Readonly<Record<string, string>>
  readonly container?: Readonly<Record<string, unknown>>
  readonly spec?: Readonly<Record<string, unknown>>
}

export const pod = (name: string, options: PodOptions = {}) => {
  const {
    image = "olakego/source-postgres:v0.9.4",
    command,
    args,
    labels = {},
    container = {},
    spec = {}
  } = options
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels },
    spec: {
      restartPolicy: "Never",
      containers: [
        { name: "connector", image, ...(command && { command }), ...(args && { args }), ...container }
      ],
      ...spec
    }
  }
}

export const shell = (script: string, options: PodOptions = {}): PodOptions => ({
  ...options,
  command: ["/bin/sh", "-c", script]
})

export const createPod = (name: string, options?: PodOptions) => call("POST", PODS, pod(name, options))

/** The Pod once it is as wished. */
export const awaitPod = (name: string, wished: (pod: Answer["body"]) => boolean) =>
  Effect.gen(function* () {
    const { pods } = yield* LocalPods
    return yield* eventually(`pod ${name}`, () => {
      const found: Answer["body"] = pods().find((one) => one.metadata.name === name)
      return found !== undefined && wished(found) ? found : undefined
    })
  })

export const awaitGone = (name: string) =>
  Effect.gen(function* () {
    const { pods } = yield* LocalPods
    yield* eventually(`pod ${name} gone`, () =>
      pods().some((one) => one.metadata.name === name) ? undefined : true
    )
  })

export const state = (pod: Answer["body"]) => pod.status.containerStatuses?.[0]?.state

export interface WatchEvent {
  readonly type: string
  readonly object: Answer["body"]
}

/** Everything one watch sends until it ends or has sent so many. */
export const watch = (query: string, count = Infinity) =>
  Effect.gen(function* () {
    const { url } = yield* LocalPods
    return yield* Effect.promise(async (signal) => {
      const events: Array<WatchEvent> = []
      const response = await fetch(`${url}${PODS}?watch=1&${query}`, { signal })
      let text = ""
      for await (const chunk of response.body ?? []) {
        text += Buffer.from(chunk).toString("utf8")
        const lines = text.split("\n")
        text = lines.pop() ?? ""
        for (const line of lines) events.push(JSON.parse(line))
        if (events.length >= count) break
      }
      return events
    })
  })

/** Merges metadata into the Pod's. */
export const patch = (name: string, metadata: object) => call("PATCH", `${PODS}/${name}`, { metadata })

export const ended = (pod: Answer["body"]) => ["Succeeded", "Failed"].includes(pod.status.phase)
export const running = (pod: Answer["body"]) => pod.status.phase === "Running"
