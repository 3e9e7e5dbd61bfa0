/**
 * What the worker keeps of a Pod: some twenty fields instead of the API's 6 KB, since thousands are held. Pure.
 */
import { defined } from "../../Json.ts"
import type { ContainerStatusJson, PodJson } from "./PodJson.ts"

/** Name of the container that runs the connector; sidecars may stand beside it. */
export const MAIN_CONTAINER = "connector"

export interface ContainerView {
  readonly name: string
  readonly kind: "main" | "init" | "sidecar"
  readonly state: "waiting" | "running" | "terminated" | "unknown"
  readonly reason?: string
  /** For a terminated container its termination message: the end of its log where it failed. */
  readonly message?: string
  readonly exitCode?: number
  /** Milliseconds since the epoch, as all times here; whole seconds, by the kubelet's clock. */
  readonly startedAt?: number
  readonly finishedAt?: number
}

export interface PodView {
  readonly name: string
  readonly uid: string
  /** Of two views of one Pod the one with the higher version is the later; 0 where it is not known. */
  readonly version: number
  readonly labels: Readonly<Record<string, string>>
  /** Only OLake's own. */
  readonly annotations: Readonly<Record<string, string>>
  readonly phase: string
  readonly reason?: string
  readonly message?: string
  readonly node?: string
  readonly deletionTimestamp?: number
  /** When it was asked to go: the deletion time less the grace period. */
  readonly deletedAt?: number
  /** When its time is over, by its node's clock; not before its node has begun with it. */
  readonly deadlineAt?: number
  readonly scheduled?: { readonly status: string; readonly reason?: string; readonly message?: string }
  /** DisruptionTarget=True: the cluster takes the Pod away. */
  readonly disruption?: { readonly reason: string; readonly message?: string; readonly at?: number }
  readonly containers: ReadonlyArray<ContainerView>
  readonly image?: string
  readonly memoryLimit?: string
  /** Of the main container, as people read them: `cpu=100m memory=256Mi`. */
  readonly requests?: string
  readonly limits?: string
  /** Names of the volume claims that it mounts. */
  readonly claims: ReadonlyArray<string>
  /** What keeps the object from going away once it is deleted. */
  readonly finalizers?: ReadonlyArray<string>
}

const TERMINATION_MESSAGE = 4096
const OTHER_MESSAGE = 512

/** The kubelet writes 0001-01-01 for a time that it does not know. */
const timeOf = (text: string | null | undefined): number | undefined => {
  const time = text == null ? Number.NaN : Date.parse(text)
  return Number.isNaN(time) || time < 0 ? undefined : time
}

const fromContainer = (status: ContainerStatusJson, kind: ContainerView["kind"]): ContainerView => {
  const { waiting, running, terminated } = status.state ?? {}
  if (terminated !== undefined) {
    return defined<ContainerView>({
      name: status.name,
      kind,
      state: "terminated",
      reason: terminated.reason,
      message: terminated.message?.slice(-TERMINATION_MESSAGE),
      exitCode: terminated.exitCode,
      startedAt: timeOf(terminated.startedAt),
      finishedAt: timeOf(terminated.finishedAt)
    })
  }
  if (running !== undefined) {
    const startedAt = timeOf(running.startedAt)
    return { name: status.name, kind, state: "running", ...(startedAt === undefined ? {} : { startedAt }) }
  }
  // A node that was restarted forgets how a container ended and says so in its last state only.
  const last = status.lastState?.terminated
  return defined<ContainerView>({
    name: status.name,
    kind,
    state: waiting === undefined ? "unknown" : "waiting",
    reason: waiting?.reason,
    message: waiting?.message?.slice(0, OTHER_MESSAGE),
    exitCode: last?.exitCode,
    startedAt: undefined,
    finishedAt: undefined
  })
}

const amountsOf = (amounts: Readonly<Record<string, string>> = {}): string | undefined =>
  Object.entries(amounts)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([resource, amount]) => `${resource}=${amount}`)
    .join(" ") || undefined

const own = (annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => key.startsWith("olake.io/")))

export const fromPod = ({ metadata, spec, status }: PodJson): PodView => {
  const condition = (type: string) => status?.conditions?.find((candidate) => candidate.type === type)
  const scheduled = condition("PodScheduled")
  const disruption = condition("DisruptionTarget")
  const main = spec?.containers?.find(({ name }) => name === MAIN_CONTAINER)
  const deletionTimestamp = timeOf(metadata.deletionTimestamp)
  const begun = timeOf(status?.startTime)
  const seconds = spec?.activeDeadlineSeconds
  return defined<PodView>({
    name: metadata.name,
    uid: metadata.uid,
    version: Number(metadata.resourceVersion) || 0,
    labels: metadata.labels ?? {},
    annotations: own(metadata.annotations ?? {}),
    phase: status?.phase ?? "Unknown",
    reason: status?.reason,
    message: status?.message?.slice(0, OTHER_MESSAGE),
    node: spec?.nodeName,
    deletionTimestamp,
    deletedAt:
      deletionTimestamp === undefined
        ? undefined
        : deletionTimestamp - (metadata.deletionGracePeriodSeconds ?? 0) * 1000,
    deadlineAt: begun === undefined || seconds === undefined ? undefined : begun + seconds * 1000,
    scheduled:
      scheduled === undefined
        ? undefined
        : defined<NonNullable<PodView["scheduled"]>>({
            status: scheduled.status,
            reason: scheduled.reason,
            message: scheduled.message?.slice(0, OTHER_MESSAGE)
          }),
    disruption:
      disruption?.status === "True"
        ? defined<NonNullable<PodView["disruption"]>>({
            reason: disruption.reason ?? "Unknown",
            message: disruption.message?.slice(0, OTHER_MESSAGE),
            at: timeOf(disruption.lastTransitionTime)
          })
        : undefined,
    containers: [
      ...(status?.initContainerStatuses ?? []).map((container) => fromContainer(container, "init")),
      ...(status?.containerStatuses ?? []).map((container) =>
        fromContainer(container, container.name === MAIN_CONTAINER ? "main" : "sidecar")
      )
    ],
    image: main?.image,
    memoryLimit: main?.resources?.limits?.memory,
    requests: amountsOf(main?.resources?.requests),
    limits: amountsOf(main?.resources?.limits),
    claims: (spec?.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) => claim?.claimName ?? []),
    finalizers: metadata.finalizers
  })
}

/** All containers have ended: nothing of this Pod can still write. */
export const hasEnded = (view: PodView): boolean => view.phase === "Succeeded" || view.phase === "Failed"

/** Whether its connector runs or has run. */
export const hasStarted = ({ containers }: PodView): boolean =>
  containers.some(
    ({ name, state }) => name === MAIN_CONTAINER && (state === "running" || state === "terminated")
  )
