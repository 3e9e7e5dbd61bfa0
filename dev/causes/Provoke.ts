/** What ends Pods from outside, done to all Pods of a world at once. Each leaves the cluster as it was. */
import * as Effect from "effect/Effect"
import { restartKubelet } from "../cluster/node/Kubelet.ts"
import { findRunning } from "../cluster/node/Processes.ts"
import { nodeName } from "../cluster/Settings.ts"
import { type Place, until } from "../cluster/Place.ts"

interface PodObject {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly annotations?: Readonly<Record<string, string>>
    readonly deletionTimestamp?: string
  }
  readonly spec: {
    readonly containers: ReadonlyArray<{
      readonly resources?: { readonly requests?: { readonly cpu?: string } }
    }>
  }
  readonly status: { readonly phase: string }
}

export type Provoke = (place: Place, pods: ReadonlyArray<string>) => Effect.Effect<void>

const podsPath = ({ namespace }: Place) => `/api/v1/namespaces/${namespace}/pods`

const list = async ({ api }: Place, path: string): Promise<ReadonlyArray<PodObject>> =>
  (JSON.parse(await api.call("GET", path)) as { readonly items: ReadonlyArray<PodObject> }).items

/** The names of these runs' Pods. */
export const podsOf = async (
  place: Place,
  workflowIds: ReadonlyArray<string>
): Promise<ReadonlyArray<string>> =>
  (await list(place, podsPath(place)))
    .filter(({ metadata }) => workflowIds.includes(metadata.annotations?.["olake.io/workflow-id"] ?? ""))
    .map(({ metadata }) => metadata.name)

/** None of them is there any more, or each is on its way. */
const untilTaken = (place: Place, pods: ReadonlyArray<string>, seconds?: number) =>
  until(
    "the Pods are taken away",
    async () => {
      const left = await list(place, podsPath(place))
      return !left.some(
        ({ metadata }) => pods.includes(metadata.name) && metadata.deletionTimestamp === undefined
      )
    },
    seconds
  )

export const deletePods: Provoke = (place, pods) =>
  Effect.promise(async () => {
    await Promise.all(pods.map((pod) => place.api.call("DELETE", `${podsPath(place)}/${pod}`)))
  })

/** As `kubectl drain` does it. */
export const evict: Provoke = (place, pods) =>
  Effect.promise(async () => {
    await Promise.all(
      pods.map((name) =>
        place.api.call("POST", `${podsPath(place)}/${name}/eviction`, {
          apiVersion: "policy/v1",
          kind: "Eviction",
          metadata: { name }
        })
      )
    )
  })

/** In thousandths of a core. */
const cpuOf = (quantity = "0"): number =>
  quantity.endsWith("m") ? Number(quantity.slice(0, -1)) : Number(quantity) * 1000

/** What the node has for a Pod that may push out all Pods of this namespace, and no others. */
const roomWithout = async (place: Place): Promise<number> => {
  const node = JSON.parse(await place.api.call("GET", `/api/v1/nodes/${nodeName}`)) as {
    readonly status: { readonly allocatable: { readonly cpu: string } }
  }
  const others = (await list(place, "/api/v1/pods")).filter(
    ({ metadata, status }) =>
      metadata.namespace !== place.namespace && !["Succeeded", "Failed"].includes(status.phase)
  )
  const used = others
    .flatMap(({ spec }) => spec.containers)
    .reduce((sum, { resources }) => sum + cpuOf(resources?.requests?.cpu), 0)
  return Math.floor(cpuOf(node.status.allocatable.cpu) - used)
}

/** A Pod of higher priority needs all the room that they have. */
export const preempt: Provoke = (place, pods) => {
  const { api, namespace } = place
  const classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
  const name = "urgent"
  const acquire = Effect.promise(async () => {
    const cpu = `${await roomWithout(place)}m`
    await api.call("POST", classes, {
      apiVersion: "scheduling.k8s.io/v1",
      kind: "PriorityClass",
      metadata: { name: namespace },
      value: 1000
    })
    const spec = {
      priorityClassName: namespace,
      terminationGracePeriodSeconds: 0,
      containers: [{ name, image: "localhost/pause:1", resources: { requests: { cpu } } }]
    }
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name }, spec }
    // Admission looks classes up in a cache of its own, which may not have heard of this one yet.
    await until("the priority class is known", () =>
      api.call("POST", podsPath(place), pod).then(
        () => true,
        (error: unknown) => {
          if (String(error).includes("no PriorityClass")) return false
          throw error
        }
      )
    )
  })
  const release = Effect.promise(async () => {
    await api.call("DELETE", `${podsPath(place)}/${name}`)
    await api.call("DELETE", `${classes}/${namespace}`)
  })
  return Effect.acquireUseRelease(
    acquire,
    () => Effect.promise(() => untilTaken(place, pods)),
    () => release
  )
}

/** From when on a Pod without a node counts as an orphan: 40 s, looked for every 20 s (Kubernetes' podgc). */
const GONE_SECONDS = 150

/** The kubelet stands still and its Node object is deleted, as when a machine is taken away for good. */
export const loseNode: Provoke = (place, pods) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const kubelet = findRunning("kubelet")
      if (kubelet === undefined) throw new Error("no kubelet runs: npm run cluster -- up")
      process.kill(kubelet.pid, "SIGSTOP")
    }),
    () =>
      Effect.promise(async () => {
        await place.api.call("DELETE", `/api/v1/nodes/${nodeName}`)
        await untilTaken(place, pods, GONE_SECONDS)
      }),
    () => Effect.promise(() => restartKubelet())
  )
