import { PodFailure } from "./PodFailure.ts"
import type { PodView } from "./PodView.ts"
export type Verdict = { _tag: "Pending"; row: number | string; stage: string; message: string; giveUp?: { after: number; failure: PodFailure } } | { _tag: "Succeeded"; row: number } | { _tag: "Failed"; row: number; failure: PodFailure }
export const defaultTimers = {}
export const decide = (v: PodView | { gone: true; last?: PodView }, _o: unknown): Verdict => {
  if ("gone" in v) return { _tag: "Failed", row: 26, failure: new PodFailure({ class: "DeletedExternally", pod: "" }) }
  const m = v.containers.find((c) => c.name === "connector")
  if (m?.state === "terminated") return m.exitCode === 0 ? { _tag: "Succeeded", row: 9 } : { _tag: "Failed", row: 12, failure: new PodFailure({ class: "ConnectorFailed", pod: v.name }) }
  return { _tag: "Pending", row: 1, stage: "running", message: "" }
}
