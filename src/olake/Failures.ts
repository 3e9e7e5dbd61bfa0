/**
 * Every class of failure that a Pod can end with: whether another may follow, and what people read of it. Without imports,
 * for workflows read it too, in Temporal's sandbox; what `retry` says there decides on commands of running histories.
 */

/**
 * Whether another try makes sense. `no`: the same would happen again. `infra`: the cluster's doing; a new Pod may
 * run. `infra-once`: probably the cluster's.
 */
export type Retry = "no" | "infra" | "infra-once"

interface Kind {
  readonly retry: Retry
  /** How the connector itself ended; the others tell what became of its Pod, and nothing of its work. */
  readonly ownEnd?: true
  /** What telemetry calls it, where something outside ended the connector. */
  readonly killedAs?: "deadline_exceeded" | "evicted" | "oom_killed" | "pod_removed"
  /** What OLake's UI knows it as; where it knows none, the class's own name says it. None where the connector's log does. */
  readonly category?: "evicted" | "none" | "oom" | "removed"
  readonly what: string
  readonly remedy: string
}

export const failures = {
  ConnectorFailed: {
    retry: "no",
    category: "none",
    ownEnd: true,
    what: "The connector failed",
    remedy: "Its log (logs/ in the run's directory) has the details."
  },
  OOM: {
    retry: "no",
    category: "oom",
    killedAs: "oom_killed",
    ownEnd: true,
    what: "The connector ran out of memory",
    remedy: "Raise JOB_MEMORY_LIMIT, or let the connector use fewer threads."
  },
  StorageLimit: {
    retry: "no",
    category: "evicted",
    killedAs: "evicted",
    what: "The connector used more local disk than its limit allows",
    remedy: "Raise the ephemeral-storage limit, or let it write less outside the shared storage."
  },
  ImageUnpullable: {
    retry: "no",
    what: "The connector's image cannot be pulled",
    remedy:
      "Check that this version exists and that the cluster may pull it (CONTAINER_REGISTRY_BASE, IMAGE_PULL_SECRETS)."
  },
  BadConfig: {
    retry: "no",
    ownEnd: true,
    what: "Kubernetes cannot start the connector's container",
    remedy: "Correct what the message names, then run again."
  },
  Deadline: {
    retry: "no",
    killedAs: "deadline_exceeded",
    what: "The connector did not end within its time",
    remedy: "Raise the operation's TIMEOUT_ACTIVITY_* variable, or look at why it takes so long."
  },
  Unschedulable: {
    retry: "infra",
    what: "No node could take the Pod",
    remedy: "Add nodes, lower JOB_CPU_REQUEST and JOB_MEMORY_REQUEST, or correct OLAKE_JOB_MAPPING."
  },
  StartTimeout: {
    retry: "infra",
    what: "The Pod was placed on a node but did not start",
    remedy:
      "Look at the Pod's events: often a volume that cannot be mounted, such as OLAKE_STORAGE_PVC_NAME's."
  },
  Evicted: {
    retry: "infra",
    category: "evicted",
    killedAs: "evicted",
    what: "The Pod was evicted from its node",
    remedy: "Run again; if it recurs, raise JOB_MEMORY_REQUEST."
  },
  Preempted: {
    retry: "infra",
    killedAs: "pod_removed",
    what: "The Pod had to make room for one of higher priority",
    remedy: "Run again; if it recurs, give jobs a priority class or their own nodes."
  },
  NodeShutdown: { retry: "infra", what: "The Pod's node was shut down", remedy: "Run again." },
  NodeLost: {
    retry: "infra",
    killedAs: "pod_removed",
    what: "The Pod's node is gone",
    remedy: "Run again once the node is back or deleted."
  },
  AdmissionRejected: {
    retry: "infra",
    what: "The node refused the Pod",
    remedy: "Run again; if it recurs, look at that node."
  },
  Interrupted: {
    retry: "infra",
    what: "The connector was interrupted",
    remedy: "Run again; it continues from the last saved state."
  },
  Killed: {
    retry: "infra-once",
    category: "oom",
    what: "The connector was killed",
    remedy: "Look at the node's kernel log: often memory ran out on the node."
  },
  DeletedExternally: {
    retry: "infra-once",
    category: "removed",
    killedAs: "pod_removed",
    what: "Somebody deleted the Pod",
    remedy: "Run again; it continues from the last saved state."
  },
  Stopped: {
    retry: "no",
    category: "none",
    what: "The connector was stopped as asked",
    remedy: "Nothing is to be done."
  }
} as const satisfies Record<string, Kind>

export type FailureClass = keyof typeof failures

export const failureClasses = Object.keys(failures) as ReadonlyArray<FailureClass> // SAFETY: the keys of the constant above

export const isFailureClass = (type: string): type is FailureClass => Object.hasOwn(failures, type)

/** The word for it in worker.log, such as `oom` or `image-unpullable`; undefined for a connector's own affair. */
export const categoryOf = (kind: FailureClass): string | undefined => {
  const row: Kind = failures[kind]
  if (row.category === "none") return undefined
  return row.category ?? kind.replace(/(?!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase()
}

export const isOwnEnd = (kind: FailureClass): boolean => "ownEnd" in failures[kind]
