/** Runs for the tests of what is shown of them. */
import type * as Run from "../../src/status/Run.ts"

export const step = (over: Partial<Run.Step> = {}): Run.Step => ({
  workflowId: "sync-123-7",
  runId: "run-1",
  operation: "sync",
  jobId: 7,
  connector: "postgres",
  directory: "directory-1",
  saves: false,
  before: undefined,
  attempt: 1,
  askedAt: 1_000,
  ...over
})

export const sighting = (over: Partial<Run.Sighting> = {}): Run.Sighting => ({
  phase: "running",
  detail: "",
  pod: "olake-job-7-0011223344",
  connector: "postgres",
  node: "node-1",
  startedAt: 2_000,
  finishedAt: undefined,
  ...over
})

export const failure: Run.Failure = {
  type: "OOM",
  cause: "The connector ran out of memory (limit 256Mi). [container connector of Pod p: OOMKilled]",
  remedy: "Raise JOB_MEMORY_LIMIT."
}

/** What would run, or draw, where text is taken for something else. */
export const hostile = [
  `<img src=x onerror="window.pwned=1">`,
  `<script>window.pwned=2</script>`,
  `"><svg onload=window.pwned=3>`,
  `</pre></details><iframe srcdoc="<script>parent.pwned=4</script>"></iframe>`,
  `javascript:window.pwned=5`,
  "\u001b[2J\u001b]0;pwned\u0007\u202Egnp.exe\r\nsecond line"
] as const
