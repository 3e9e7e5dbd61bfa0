/**
 * What the requests of either contract decode to. Nothing behind the boundary knows by which contract a request came; what
 * differs between them is said here in terms of what is to be done. Types only.
 */
import type * as Duration from "effect/Duration"
import type { Catalog } from "../Catalog.ts"
import type { JobFile, Operation } from "../Job.ts"
import type { Outcome } from "../Outcome.ts"

/** What a request says of its run. */
export interface Subject {
  readonly operation: Operation
  /** Zero where the request belongs to no job. */
  readonly jobId: number
  /** Empty where the job's row has it. */
  readonly connector: string
  /** How the step before ended, where this one ends the run. */
  readonly outcome?: Outcome
  /** Type of the failure that ended the step before. */
  readonly failureType?: string
  /** Whether what the worker logs of the run is kept in its directory too. */
  readonly keepsLog: boolean
}

interface Request extends Subject {
  readonly workflowId: string
  /** The field that has the workflow's id, as its sender calls it. */
  readonly idField: "WorkflowID" | "workflow_id"
}

/** Discover, check and spec: somebody waits for the answer. */
export interface ShortRequest extends Request {
  readonly operation: "discover" | "check" | "spec"
  readonly version: string
}

export interface DiscoverRequest extends ShortRequest {
  readonly operation: "discover"
  readonly config: string
  /** Known streams; empty for none. */
  readonly streams: string
}

export interface CheckRequest extends ShortRequest {
  readonly operation: "check"
  readonly config: string
  /** The connector's option that takes the config. */
  readonly flag: "config" | "destination"
}

/** A command line that its sender has made. */
export interface DirectRequest extends ShortRequest {
  readonly args: ReadonlyArray<string>
  readonly files: ReadonlyArray<Pick<JobFile, "content" | "name">>
  readonly timeout: Duration.Duration | undefined
  /** Where the connector writes its result; empty where it only says it. */
  readonly outputFile: string
}

interface WriterRequest extends Request {
  readonly timeout: Duration.Duration | undefined
}

export interface SyncRequest extends WriterRequest {
  readonly operation: "sync"
  /** Empty where the request does not say. */
  readonly projectId: string
  /** The connector's arguments; undefined where it is given its configs as they are, with the key to decrypt them. */
  readonly args: ReadonlyArray<string> | undefined
}

export interface ClearRequest extends WriterRequest {
  readonly operation: "clear-destination"
  readonly args: ReadonlyArray<string>
  /** Path of the file of the streams to clear, or of one of the two, below the shared storage's root. */
  readonly streamsPath: string
}

/** Ends a writer: how it went, and what is to be done then. */
export interface EndRequest extends Request {
  readonly operation: "sync" | "clear-destination"
  readonly outcome: Outcome
  /** Whether the run surely has a directory. */
  readonly began: boolean
  /** Whether the row's job counts as active from now on. */
  readonly activates: boolean
  /** Whether OLake's UI is told how a sync ended. */
  readonly reports: boolean
  /** What the workflow wants to hear: the saved state, or the path of its file. */
  readonly answers: "state" | "path"
  readonly version: string
  readonly projectId: string
  /** In which form its arguments name the catalog; the schedule's get the same. */
  readonly catalog: Catalog["form"]
  /** Nanoseconds, as it came. */
  readonly timeout: number
}
