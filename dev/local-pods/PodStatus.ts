/** Pod statuses in the form and order in which a kubelet 1.34 reports them. Pure. */
import { createHash } from "node:crypto"
import type { KubeObject } from "./api/Objects.ts"
import { specOf } from "./Pod.ts"

export type PodStatus = Readonly<Record<string, unknown>> & { readonly phase: string }

type Reason = "ContainersNotReady" | "PodCompleted" | "PodFailed"

const condition = (type: string, status: boolean, at: string, reason?: string, message?: string) => ({
  type,
  status: status ? "True" : "False",
  lastProbeTime: null,
  lastTransitionTime: at,
  ...(reason === undefined ? {} : { reason }),
  ...(message === undefined ? {} : { message })
})

export const created: PodStatus = { phase: "Pending", qosClass: "Burstable" }

export const unschedulable = (at: string, message: string): PodStatus => ({
  ...created,
  conditions: [condition("PodScheduled", false, at, "Unschedulable", message)]
})

export const scheduled = (at: string): PodStatus => ({
  ...created,
  conditions: [condition("PodScheduled", true, at)]
})

export interface Terminated {
  readonly exitCode: number
  readonly reason: string
  readonly startedAt: string | null
  readonly finishedAt: string | null
  readonly message?: string
}

export type ContainerState =
  | { readonly waiting: { readonly reason: string; readonly message?: string } }
  | { readonly running: { readonly startedAt: string } }
  | { readonly terminated: Terminated }

/** The status of a Pod that a node has taken. */
export const onNode = (
  pod: KubeObject,
  startTime: string,
  at: string,
  phase: string,
  state: ContainerState,
  outcome?: { readonly reason: string; readonly message: string }
): PodStatus => {
  const { image, name } = specOf(pod).containers[0]
  const isRunning = "running" in state
  const reason: Reason | undefined = isRunning
    ? undefined
    : "waiting" in state
      ? "ContainersNotReady"
      : state.terminated.exitCode === 0 && outcome === undefined
        ? "PodCompleted"
        : "PodFailed"
  const unready = "waiting" in state ? `containers with unready status: [${name}]` : undefined
  const containerID = `containerd://${createHash("sha256").update(pod.metadata.uid).digest("hex")}`
  const started = !("waiting" in state)
  return {
    phase,
    qosClass: "Burstable",
    startTime,
    ...outcome,
    conditions: [
      condition("PodReadyToStartContainers", started && phase !== "Succeeded" && phase !== "Failed", at),
      condition("Initialized", true, startTime, reason === "PodCompleted" ? reason : undefined),
      condition("Ready", isRunning, at, reason, unready),
      condition("ContainersReady", isRunning, at, reason, unready),
      condition("PodScheduled", true, startTime)
    ],
    containerStatuses: [
      {
        name,
        image: started ? `docker.io/${image}` : image,
        imageID: started ? `sha256:${createHash("sha256").update(image).digest("hex")}` : "",
        ...(started ? { containerID } : {}),
        ready: isRunning,
        started: isRunning,
        restartCount: 0,
        lastState: {},
        state: "terminated" in state ? { terminated: { ...state.terminated, containerID } } : state
      }
    ]
  }
}

const pullFailure = (image: string) =>
  `failed to pull and unpack image "docker.io/${image}": failed to resolve reference "docker.io/${image}": docker.io/${image}: not found`

export const imagePull = (image: string, backOff: boolean): ContainerState =>
  backOff
    ? {
        waiting: {
          reason: "ImagePullBackOff",
          message: `Back-off pulling image "${image}": ErrImagePull: ${pullFailure(image)}`
        }
      }
    : { waiting: { reason: "ErrImagePull", message: pullFailure(image) } }

export const DEADLINE = {
  reason: "DeadlineExceeded",
  message: "Pod was active on the node longer than the specified deadline"
}

/** What a kubelet says of a container that it never started or can no longer find. */
export const LOST: ContainerState = {
  terminated: {
    exitCode: 137,
    reason: "ContainerStatusUnknown",
    message: "The container could not be located when the pod was terminated",
    startedAt: null,
    finishedAt: null
  }
}
