/**
 * What telemetry says of a run: the connector reads it in `telemetry.json`, and the events that the worker sends carry the
 * same. Names and values are the Go worker's (olake-helm, worker/utils/telemetry). Pure.
 */
import type { JobFile } from "../Job.ts"
import { isAtLeast, isRelease } from "../Release.ts"

export const TELEMETRY_FILE = "telemetry.json"
export const USER_ID_FILE = "user_id.txt"

/** The first connector that reports its own runs. */
const FIRST_REPORTING = "v0.9.4"

/** Whether the connector itself reports that it started, completed or failed; else the worker does. */
export const reportsItself = (version: string): boolean => isAtLeast(version, FIRST_REPORTING)

/** What a job's row, its source's and its destination's say; empty where they say nothing. */
export interface JobFacts {
  readonly name: string
  readonly frequency: string
  /** RFC 3339. */
  readonly createdAt: string
  readonly sourceName: string
  readonly sourceVersion: string
  readonly destinationName: string
  readonly destinationVersion: string
}

export type Payload = Readonly<Record<string, string | number>>

/** How OLake's telemetry calls where connectors run. */
export const ENVIRONMENT = "kubernetes"

const filled = (fields: Readonly<Record<string, string | number | undefined>>): Payload =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([key, value]) =>
      value === undefined || value === "" || value === 0 ? [] : [[key, value]]
    )
  )

/**
 * @param userId whom the installation's telemetry belongs to; empty where OLake's UI has not said
 * @param facts of a sync's job; none for other operations
 * @param runCount of a sync; 0 where it is not known
 */
export const payloadOf = (
  userId: string,
  jobId: number,
  facts?: JobFacts,
  runCount: number = 0
): Payload => ({
  schema_version: 1,
  ...filled({
    service: "UI",
    distinct_id: userId,
    job_id: jobId,
    job_name: facts?.name,
    environment: ENVIRONMENT,
    sync_run_count: runCount,
    frequency: facts?.frequency,
    created_at: facts?.createdAt,
    source_name: facts?.sourceName,
    source_version: facts?.sourceVersion,
    destination_name: facts?.destinationName,
    destination_version: facts?.destinationVersion
  })
})

/** The files that a connector of that version is given. One whose version is no release reports nothing. */
export const filesOf = (userId: string, version: string, payload: Payload): ReadonlyArray<JobFile> => [
  // Without one the connector makes its own.
  ...(userId === "" ? [] : [{ name: USER_ID_FILE, content: userId }]),
  ...(isRelease(version) ? [{ name: TELEMETRY_FILE, content: JSON.stringify(payload) }] : [])
]
