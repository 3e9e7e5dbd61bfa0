/** Why a Pod failed: a class for programs, and for people what happened, why, and what to do. Pure. */
import * as Schema from "effect/Schema"
import { oneLine } from "../../Text.ts"

/**
 * Whether another try makes sense. `no`: the same would happen again. `infra`: the cluster's doing; a new Pod may
 * run. `infra-once`: probably the cluster's.
 */
export type Retry = "no" | "infra" | "infra-once"

interface Kind {
  readonly retry: Retry
  readonly what: string
  readonly remedy: string
}

const KINDS = {
  ConnectorFailed: {
    retry: "no",
    what: "The connector failed",
    remedy: "Its log (logs/ in the run's directory) has the details."
  },
  OOM: {
    retry: "no",
    what: "The connector ran out of memory",
    remedy: "Raise JOB_MEMORY_LIMIT, or let the connector use fewer threads."
  },
  StorageLimit: {
    retry: "no",
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
    what: "Kubernetes cannot start the connector's container",
    remedy: "Correct what the message names, then run again."
  },
  Deadline: {
    retry: "no",
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
    what: "The Pod was evicted from its node",
    remedy: "Run again; if it recurs, raise JOB_MEMORY_REQUEST."
  },
  Preempted: {
    retry: "infra",
    what: "The Pod had to make room for one of higher priority",
    remedy: "Run again; if it recurs, give jobs a priority class or their own nodes."
  },
  NodeShutdown: { retry: "infra", what: "The Pod's node was shut down", remedy: "Run again." },
  NodeLost: {
    retry: "infra",
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
    what: "The connector was killed",
    remedy: "Look at the node's kernel log: often memory ran out on the node."
  },
  DeletedExternally: {
    retry: "infra-once",
    what: "Somebody deleted the Pod",
    remedy: "Run again; it continues from the last saved state."
  },
  Stopped: { retry: "no", what: "The connector was stopped as asked", remedy: "Nothing is to be done." }
} as const satisfies Record<string, Kind>

export type FailureClass = keyof typeof KINDS

export const failureClasses = Object.keys(KINDS) as ReadonlyArray<FailureClass> // SAFETY: the keys of the constant above

/** Longest part of a message that comes from outside. */
const LONGEST = 700

export class PodFailure extends Schema.TaggedError<PodFailure>()("PodFailure", {
  class: Schema.Literals(failureClasses),
  pod: Schema.String,
  container: Schema.optionalKey(Schema.String),
  exitCode: Schema.optionalKey(Schema.Int),
  /** Kubernetes' word for it, such as `OOMKilled`. */
  reason: Schema.optionalKey(Schema.String),
  /** The cluster's own sentence. */
  clusterMessage: Schema.optionalKey(Schema.String),
  node: Schema.optionalKey(Schema.String),
  memoryLimit: Schema.optionalKey(Schema.String),
  image: Schema.optionalKey(Schema.String),
  /** The connector's last error line. */
  lastLine: Schema.optionalKey(Schema.String)
}) {
  get retry(): Retry {
    return KINDS[this.class].retry
  }

  /** Type of the Temporal failure. */
  get failureType(): FailureClass {
    return this.class
  }

  /** A verdict on a Pod is final for its run: another attempt would find the same Pod. */
  readonly isRetryable = false

  override get message(): string {
    return `${this.#cause} ${this.remedy}`
  }

  /** What to do about it: the message's end. */
  get remedy(): string {
    return KINDS[this.class].remedy
  }

  get #cause(): string {
    const why = this.lastLine ?? this.clusterMessage
    const says = why === undefined ? "." : `: ${oneLine(why, LONGEST).replace(/\.$/, "")}.`
    return `${KINDS[this.class].what}${this.#subject}${says} ${this.#where}`
  }

  get #subject(): string {
    if (this.class === "ImageUnpullable" && this.image !== undefined) return ` (${this.image})`
    return this.class === "OOM" && this.memoryLimit !== undefined ? ` (limit ${this.memoryLimit})` : ""
  }

  get #where(): string {
    const ended = [
      ...(this.reason === undefined ? [] : [this.reason]),
      ...(this.exitCode === undefined ? [] : [`exit code ${this.exitCode}`])
    ]
    const container = this.container === undefined ? "" : `container ${this.container} of `
    const node = this.node === undefined ? "" : ` on node ${this.node}`
    return `[${container}Pod ${this.pod}${node}${ended.length === 0 ? "" : `: ${ended.join(", ")}`}]`
  }

  withLastLine(lastLine: string): PodFailure {
    return new PodFailure({ ...this.#fields, lastLine })
  }

  get #fields() {
    const { class: kind, pod, container, exitCode, reason, clusterMessage, node, memoryLimit, image } = this
    const fields = { container, exitCode, reason, clusterMessage, node, memoryLimit, image }
    const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
    return { class: kind, pod, ...given }
  }
}
