/** What every contract decodes to: one connector run in one Pod. Nothing behind this type knows how the request came. */
import type * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"

interface Kind {
  /** A writer runs for days and outlives the worker, at most one per job; the others are pure and can be repeated. */
  readonly lifetime: "short" | "writer"
  /** What OLake's UI looks for the run's directory by: the workflow's id, or its SHA-256. */
  readonly directory: "id" | "hash"
  /** What it leaves for whoever asked: a file of its directory, or something in what it says. */
  readonly result: "streams.json" | "connectionStatus" | "specification" | "state.json"
}

export const operations = {
  discover: { lifetime: "short", directory: "id", result: "streams.json" },
  check: { lifetime: "short", directory: "id", result: "connectionStatus" },
  spec: { lifetime: "short", directory: "id", result: "specification" },
  sync: { lifetime: "writer", directory: "hash", result: "state.json" },
  "clear-destination": { lifetime: "writer", directory: "hash", result: "state.json" }
} as const satisfies Readonly<Record<string, Kind>>

export type Operation = keyof typeof operations

type Living<L extends Kind["lifetime"]> = {
  readonly [K in Operation]: (typeof operations)[K]["lifetime"] extends L ? K : never
}[Operation]

export type Short = Living<"short">
export type Writer = Living<"writer">

export const isOperation = (word: unknown): word is Operation =>
  Predicate.isString(word) && Object.hasOwn(operations, word)

export const isWriter = (word: unknown): word is Writer =>
  isOperation(word) && operations[word].lifetime === "writer"

/** The Temporal run that a Pod works for. */
export interface RunIdentity {
  readonly temporalNamespace: string
  readonly taskQueue: string
  readonly workflowId: string
  readonly runId: string
}

export interface JobFile {
  readonly name: string
  readonly content: string
  /** Holds credentials in clear text: nobody but the worker and the connector may read it. */
  readonly isPrivate?: boolean
}

export interface Job {
  readonly operation: Operation
  readonly connector: string
  readonly version: string
  /** The connector's arguments, free of secrets: see `Connector.ts`. */
  readonly args: ReadonlyArray<string>
  /** Reaches the container as OLAKE_SECRET_KEY. */
  readonly secretKey: Redacted.Redacted | undefined
  /** Relative to the shared storage's root; mounted into the container. */
  readonly directory: string
  readonly files: ReadonlyArray<JobFile>
  /** Zero where a request belongs to no job. */
  readonly jobId: number
  readonly run: RunIdentity
  /** The Temporal namespace's own id, for the Pod to carry; empty where Temporal does not tell it. */
  readonly temporalNamespaceId: string
  /** How long the connector may run. */
  readonly timeout: Duration.Duration
}

/** What tells whose Pod one is. */
export type JobIdentity = Pick<Job, "operation" | "jobId" | "run">
