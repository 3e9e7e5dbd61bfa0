/** What people read of a run, on the page and in a terminal alike. Pure. */
import type { Phase, State } from "./Run.ts"

export const PHASES: Readonly<Record<Phase, string>> = {
  waiting: "waiting for a turn",
  preparing: "preparing",
  queued: "waiting for a node",
  pulling: "pulling the image",
  starting: "starting",
  running: "running",
  finishing: "finishing",
  stopping: "stopping",
  "node-lost": "its node does not answer",
  saving: "saving its state"
}

export const STATES: Readonly<Record<State, string>> = {
  active: "active",
  retrying: "to be tried again",
  left: "left for another worker",
  succeeded: "succeeded",
  failed: "failed",
  cancelled: "cancelled",
  ended: "ended (another worker knows how)"
}

/** What a run is, such as `sync of job 7`. */
export const titleOf = (operation: string, jobId: number | undefined): string =>
  `${operation}${jobId === undefined ? "" : ` of job ${jobId}`}`
