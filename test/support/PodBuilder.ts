/** Pods for tests: `aPod().waiting("ErrImagePull", "not found").view()`. Times are seconds after `START`. */
import type { PodJson } from "../../src/kubernetes/pod/PodJson.ts"
import { fromPod, type PodView } from "../../src/kubernetes/pod/PodView.ts"

export const START = Date.parse("2026-11-23T17:00:00Z")
const at = (second: number): string => new Date(START + second * 1000).toISOString()

type Status = NonNullable<PodJson["status"]>
type Container = NonNullable<Status["containerStatuses"]>[number]
type Condition = NonNullable<Status["conditions"]>[number]

export class PodBuilder {
  readonly #pod: PodJson
  constructor(pod: PodJson) {
    this.#pod = pod
  }
  #status(over: Partial<Status>): PodBuilder {
    return new PodBuilder({ ...this.#pod, status: { ...this.#pod.status, ...over } })
  }
  #metadata(over: Partial<PodJson["metadata"]>): PodBuilder {
    return new PodBuilder({ ...this.#pod, metadata: { ...this.#pod.metadata, ...over } })
  }
  #container(container: Container): PodBuilder {
    const others = (this.#pod.status?.containerStatuses ?? []).filter(({ name }) => name !== container.name)
    return this.#status({ containerStatuses: [...others, container] })
  }
  #condition(condition: Condition): PodBuilder {
    return this.#status({ conditions: [...(this.#pod.status?.conditions ?? []), condition] })
  }
  phase(phase: string, reason?: string, message?: string): PodBuilder {
    return this.#status({
      phase,
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message })
    })
  }
  waiting(reason: string, message?: string, name = "connector"): PodBuilder {
    return this.#container({
      name,
      state: { waiting: { reason, ...(message === undefined ? {} : { message }) } }
    })
  }
  running(name = "connector"): PodBuilder {
    return this.#container({ name, state: { running: { startedAt: at(0) } } }).phase("Running")
  }
  exited(
    exitCode: number,
    reason = exitCode === 0 ? "Completed" : "Error",
    second = 60,
    message?: string
  ): PodBuilder {
    const terminated = {
      exitCode,
      reason,
      startedAt: at(0),
      finishedAt: at(second),
      ...(message === undefined ? {} : { message })
    }
    return this.#container({ name: "connector", state: { terminated } })
  }
  unknownEnd(): PodBuilder {
    const terminated = { exitCode: 137, reason: "ContainerStatusUnknown", startedAt: null, finishedAt: null }
    return this.#container({ name: "connector", state: { terminated } })
  }
  restartedNode(): PodBuilder {
    const lastState = { terminated: { exitCode: 137, reason: "ContainerStatusUnknown" } }
    return this.#container({
      name: "connector",
      state: { waiting: { reason: "ContainerCreating" } },
      lastState
    })
  }
  initExited(exitCode: number): PodBuilder {
    const terminated = { exitCode, reason: "Error", startedAt: at(0), finishedAt: at(1) }
    return this.#status({ initContainerStatuses: [{ name: "prepare", state: { terminated } }] })
  }
  unscheduled(reason: string, message: string): PodBuilder {
    return this.#condition({ type: "PodScheduled", status: "False", reason, message })
  }
  disrupted(reason: string, second = 59): PodBuilder {
    return this.#condition({
      type: "DisruptionTarget",
      status: "True",
      reason,
      lastTransitionTime: at(second)
    })
  }
  deleted(second = 59): PodBuilder {
    return this.#metadata({ deletionTimestamp: at(second + 30), deletionGracePeriodSeconds: 30 })
  }
  annotated(annotations: Readonly<Record<string, string>>): PodBuilder {
    return this.#metadata({ annotations: { ...this.#pod.metadata.annotations, ...annotations } })
  }
  labelled(labels: Readonly<Record<string, string>>): PodBuilder {
    return this.#metadata({ labels: { ...this.#pod.metadata.labels, ...labels } })
  }
  named(name: string, uid = "uid-1"): PodBuilder {
    return this.#metadata({ name, uid })
  }
  json(): PodJson {
    return this.#pod
  }
  view(): PodView {
    return fromPod(this.#pod)
  }
}

export const aPod = (): PodBuilder =>
  new PodBuilder({
    metadata: {
      name: "olake-job-7-0123456789",
      uid: "uid-1",
      labels: { "app.kubernetes.io/managed-by": "olake-workers" }
    },
    spec: {
      nodeName: "node-1",
      containers: [
        {
          name: "connector",
          image: "olakego/source-postgres:v0.2.0",
          resources: { limits: { memory: "64Mi" } }
        }
      ]
    },
    status: { phase: "Pending" }
  })
