/** When each step of a Pod's life reached a watcher of this namespace. */
import * as Effect from "effect/Effect"
import type { PodObject } from "../cluster/Client.ts"
import type { Place } from "../cluster/Place.ts"

export type Moment = "created" | "scheduled" | "running" | "terminated" | "ended" | "deleting" | "gone"

export interface PodTimes {
  /** As the API server first had it. */
  readonly pod: PodObject
  /** Milliseconds since the epoch, the first time that each was seen. */
  readonly seen: Readonly<Partial<Record<Moment, number>>>
}

export interface PodWatcher {
  /** The Pod of a workflow, or of another run with that id as its annotation. */
  readonly of: (workflowId: string) => PodTimes | undefined
  readonly until: (workflowId: string, moment: Moment) => Promise<PodTimes>
  readonly count: (moment: Moment) => number
}

export const WORKFLOW_ID = "olake.io/workflow-id"

const momentsOf = (type: string, { metadata, spec, status }: PodObject): ReadonlyArray<Moment> => {
  const state = status.containerStatuses?.[0]?.state ?? {}
  const moments: ReadonlyArray<readonly [Moment, boolean]> = [
    ["created", true],
    ["scheduled", spec.nodeName !== undefined],
    ["running", "running" in state],
    ["terminated", "terminated" in state],
    ["ended", ["Succeeded", "Failed"].includes(status.phase)],
    ["deleting", metadata.deletionTimestamp !== undefined],
    ["gone", type === "DELETED"]
  ]
  return moments.filter(([, holds]) => holds).map(([moment]) => moment)
}

export const watchPods = ({ api, namespace }: Place) =>
  Effect.gen(function* () {
    const pods = new Map<string, { pod: PodObject; seen: Partial<Record<Moment, number>> }>()
    const waiting = new Set<() => void>()
    const onFrame = (type: string, pod: PodObject) => {
      const now = Date.now()
      const id = pod.metadata.annotations?.[WORKFLOW_ID] ?? pod.metadata.name
      const times = pods.get(id) ?? { pod, seen: {} }
      pods.set(id, times)
      for (const moment of momentsOf(type, pod)) times.seen[moment] ??= now
      for (const look of waiting) look()
    }
    yield* Effect.acquireRelease(
      Effect.promise(() => api.watch(`/api/v1/namespaces/${namespace}/pods?watch=1`, onFrame)),
      ({ close }) => Effect.sync(close)
    )
    const watcher: PodWatcher = {
      of: (workflowId) => pods.get(workflowId),
      until: (workflowId, moment) =>
        new Promise((resolve, reject) => {
          const timer = setTimeout(() => {
            waiting.delete(look)
            reject(new Error(`the Pod of ${workflowId} is not ${moment} within 90 s`))
          }, 90_000)
          const look = () => {
            const times = pods.get(workflowId)
            if (times?.seen[moment] === undefined) return
            clearTimeout(timer)
            waiting.delete(look)
            resolve(times)
          }
          waiting.add(look)
          look()
        }),
      count: (moment) => [...pods.values()].filter(({ seen }) => seen[moment] !== undefined).length
    }
    return watcher
  })
