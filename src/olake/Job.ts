/** What every contract decodes to: one connector run in one Pod. Nothing behind this type knows how the request came. */
import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"

export type Operation = "discover" | "check" | "spec" | "sync" | "clear-destination"

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
  /** A file that the connector itself rewrites: an existing one is never replaced. */
  readonly keepExisting?: boolean
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
  /** How long the connector may run. */
  readonly timeout: Duration.Duration
  /** One for the first; a later one may find what another worker has made. */
  readonly attempt: number
}

/** What tells whose Pod one is. */
export type JobIdentity = Pick<Job, "operation" | "jobId" | "run">

const WRITERS: ReadonlyArray<string> = ["sync", "clear-destination"] satisfies ReadonlyArray<Operation>

/** Writers run for days and outlive the worker; at most one per job. The others are pure and can be repeated. */
export const isLongRunning = (operation: string): boolean => WRITERS.includes(operation)
