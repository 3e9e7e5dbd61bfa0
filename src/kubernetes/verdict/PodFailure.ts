/** Why a Pod failed: a class for programs, and for people what happened, why, and what to do. Pure. */
import * as Schema from "effect/Schema"
import { saysOutOfMemory } from "../../olake/ConnectorOutput.ts"
import { categoryOf, type FailureClass, failureClasses, failures, type Retry } from "../../olake/Failures.ts"
import { oneLine } from "../../Text.ts"

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
    return failures[this.class].retry
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
    return failures[this.#shown].remedy
  }

  /** The word for it in worker.log, by which OLake's UI marks the line. */
  get category(): string | undefined {
    return categoryOf(this.#shown)
  }

  /** Which class's words people read: a connector that fails over memory has not been killed, but needs the same remedy. */
  get #shown(): FailureClass {
    return this.class === "ConnectorFailed" && saysOutOfMemory(this.lastLine ?? "") ? "OOM" : this.class
  }

  get #cause(): string {
    const why = this.lastLine ?? this.clusterMessage
    const says = why === undefined ? "." : `: ${oneLine(why, LONGEST).replace(/\.$/, "")}.`
    return `${failures[this.#shown].what}${this.#subject}${says} ${this.#where}`
  }

  get #subject(): string {
    if (this.class === "ImageUnpullable" && this.image !== undefined) return ` (${this.image})`
    return this.#shown === "OOM" && this.memoryLimit !== undefined ? ` (limit ${this.memoryLimit})` : ""
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
