/** What the steps of a Pod's life share: the node they run on, and the Pod's own stay there. */
import type * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type KubeObject, timestamp } from "./api/Objects.ts"
import type { ObjectStore } from "./api/ObjectStore.ts"
import type { PodLog } from "./PodProcess.ts"
import * as PodStatus from "./PodStatus.ts"

/** Milliseconds. A real kubelet takes about a second for each of these. */
export interface Timing {
  /** From scheduled to the container's start. */
  readonly creating: number
  /** From the start until Running is reported; a process that ends sooner is never seen running. */
  readonly observing: number
  /** From the terminated state to the phase. */
  readonly ending: number
  /** Between two tries of a thing that is missing. */
  readonly retrying: number
}

export interface Node {
  readonly store: ObjectStore
  /** The program of an image; undefined where there is no such image. */
  readonly entrypoint: (image: string) => ReadonlyArray<string> | undefined
  /** Host folders of the persistent volume claims. */
  readonly claims: Readonly<Record<string, string>>
  /** Processes that run at once; more Pods wait unscheduled. */
  readonly maxPods: number
  readonly scratch: string
  readonly timing: Timing
}

export const NODE_NAME = "local-pods"

/** One Pod's stay on the node. */
export interface Stay {
  readonly pod: KubeObject
  readonly log: PodLog
  /** Done when the API marks the Pod for deletion. */
  readonly deleted: Deferred.Deferred<void>
  readonly started: number
}

export const makePause = (millis: number) => Effect.sleep(Duration.millis(millis))

export const setStatus = (node: Node, pod: KubeObject, status: PodStatus.PodStatus, nodeName?: string) =>
  Effect.sync(() => {
    const placed = nodeName === undefined ? {} : { nodeName }
    node.store.update("pods", pod.metadata, (old) => ({
      ...old,
      spec: { ...Object(old["spec"]), ...placed },
      status
    }))
  })

export const report = (
  node: Node,
  { pod, started }: Stay,
  phase: string,
  state: PodStatus.ContainerState,
  outcome?: typeof PodStatus.DEADLINE
) =>
  Effect.suspend(() =>
    setStatus(node, pod, PodStatus.onNode(pod, timestamp(started), timestamp(), phase, state, outcome))
  )
