/** From a workflow's id to its directory on the shared storage, and the file names inside. Pure. */
import { createHash } from "node:crypto"
import { type Operation, operations, type Writer } from "./Job.ts"

/** Where the run's directory appears inside the connector's container. */
export const MOUNT_PATH = "/mnt/config"
/** The same directory again, under the path that OLake's documentation names. */
export const SHARED_MOUNT_PATH = "/mnt/shared"

/** The path of a file of the run's directory, as the connector sees it. */
export const inMount = (file: string): string => `${MOUNT_PATH}/${file}`

export const STATE_FILE = "state.json"
export const STREAMS_FILE = "streams.json"
/** Rewritten by the connector while a sync runs. */
export const STATS_FILE = "stats.json"
/** The worker's own note in the directory of a writer; see RunNote.ts. */
export const RUN_FILE = ".olake-run.json"
/** Of workers before 0.2: the SHA-256 of the state that the worker itself had put there. */
export const OLD_STATE_MARK = `.${STATE_FILE}.written`
/** How a writer's connector ended; see ExitMarker.ts. */
export const EXIT_FILE = ".olake-exit.json"

export const sha256 = (text: string): string => createHash("sha256").update(text, "utf8").digest("hex")

/** Whether a directory of the shared storage is a writer's. */
export const isWriterDirectory = (name: string): boolean => /^[0-9a-f]{64}$/.test(name)

/** Directories of the shared storage that belong to no discover or test. */
const isReserved = (name: string): boolean => name === "telemetry" || isWriterDirectory(name)

/** Why a workflow id cannot name a directory, or undefined when it can. */
export const problemWithDirectoryName = (id: string): string | undefined => {
  if (id === "" || id === "." || id === "..") return "is not a usable directory name"
  if (/[/\\\p{Cc}]/u.test(id)) return "must not contain slashes or control characters"
  if (Buffer.byteLength(id) > 255) return "must not be longer than 255 bytes"
  return isReserved(id) ? "is a name that the shared storage keeps for other runs" : undefined
}

/** Why a text cannot name a file in a run's directory, or undefined when it can. */
export const problemWithFileName = (name: string): string | undefined => {
  if (name === "" || name === "." || name === "..") return "must be a file's name"
  if (/[/\\\p{Cc}]/u.test(name)) return "must be a file's name, without slashes or control characters"
  return Buffer.byteLength(name) > 255 ? "must not be longer than 255 bytes" : undefined
}

/** The directory of a run; none where the id of a short one cannot name it, see above. */
export function of(operation: Writer, workflowId: string): string
export function of(operation: Operation, workflowId: string): string | undefined
export function of(operation: Operation, workflowId: string): string | undefined {
  if (operations[operation].directory === "hash") return sha256(workflowId)
  return problemWithDirectoryName(workflowId) === undefined ? workflowId : undefined
}

/** Sync and clear-destination: OLake's UI looks for the SHA-256 of the id. */
export const ofWriter = (workflowId: string): string => of("sync", workflowId)
