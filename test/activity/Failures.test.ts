/** What people read of failures that are none of a Pod's: in a run's failure, in its alert and in worker.log alike. */
import { describe, it } from "@effect/vitest"
import { InvalidRequest } from "../../src/activity/Activity.ts"
import { IndicatorInTheWay, NoIndicator } from "../../src/activity/Indicator.ts"
import { InvalidState, StateUnsaved } from "../../src/activity/writer/EndSync.ts"
import { ResultTooLarge } from "../../src/activity/Result.ts"
import { PodTaken, ResultMissing, TimedOut } from "../../src/activity/short/ShortRun.ts"
import { Cancelled, JobBusy, Superseded } from "../../src/activity/writer/ClaimErrors.ts"
import { InvalidJob } from "../../src/activity/writer/Preparation.ts"
import { DecryptionError } from "../../src/database/Decryption.ts"
import { IncompleteJob, JobNotFound } from "../../src/database/Jobs.ts"
import { DatabaseError } from "../../src/database/Query.ts"
import { KubernetesError } from "../../src/kubernetes/api/KubernetesError.ts"
import { PodFailure } from "../../src/kubernetes/verdict/PodFailure.ts"
import { NameConflict, PodRefused, StillTerminating } from "../../src/kubernetes/PodRunnerErrors.ts"
import { WebhookError } from "../../src/notification/Webhook.ts"
import { InvalidFile } from "../../src/storage/JsonFile.ts"
import { StorageError } from "../../src/storage/StorageError.ts"
import { TemporalUnavailable } from "../../src/temporal/TemporalUnavailable.ts"

const pod = "olake-job-7-0123456789"
const isRetryable = true
const refused = new KubernetesError({
  operation: `create Pod ${pod}`,
  status: 403,
  reason: "Forbidden",
  detail: "why"
})

const failures = [
  new InvalidRequest({ problems: ["JobID: must be a whole number"] }),
  new InvalidJob({ problems: ["Job 7: its source's version is no image tag"] }),
  new JobNotFound({ jobId: 7, table: "olake-dev-job" }),
  new IncompleteJob({ jobId: 7, columns: ["source type"] }),
  new DatabaseError({ operation: "read job 7", reason: "X", detail: "why", code: "42P01", isRetryable }),
  new DecryptionError({ what: "source config of job 7", problem: "why.", isRetryable }),
  refused,
  new PodRefused({ pod, reason: refused.message, minutes: 5 }),
  new Cancelled({ pod }),
  new Superseded({ pod }),
  ...[false, true].map(
    (isForeign) =>
      new JobBusy({
        pod,
        namespace: "jobs",
        jobId: 7,
        workflowId: "sync-123-7",
        temporalNamespace: "default",
        temporalNamespaceId: "4f0c",
        isForeign
      })
  ),
  new NameConflict({ pod }),
  new StillTerminating({ pod, node: "node-1" }),
  new StillTerminating({ pod, finalizers: ["example.com/audit"] }),
  new TimedOut({ operation: "discover", limit: "10m", variable: "TIMEOUT_ACTIVITY_DISCOVER" }),
  new PodTaken({ failure: new PodFailure({ class: "Evicted", pod }) }),
  new ResultMissing({ operation: "discover", expected: "streams.json", connector: "postgres" }),
  new NoIndicator({ pod: "source-shop" }),
  new IndicatorInTheWay({ pod: "source-shop" }),
  new ResultTooLarge({ file: "streams.json", bytes: 3_000_000, limit: 2_080_768 }),
  new StateUnsaved({ problem: "Why." }),
  new InvalidState({ jobId: 7, problem: "why" }),
  ...["ENOSPC", "EROFS", "PermissionDenied", "TimedOut", "NotFound", "EIO"].map(
    (reason) => new StorageError({ operation: "write", path: "/data/x/state.json", reason, detail: "" })
  ),
  new InvalidFile({ path: "/data/x/state.json", problem: "is empty" }),
  new TemporalUnavailable({ operation: "look at workflow sync-123-7", detail: "why" }),
  new WebhookError({ host: "hooks.example.com", problem: "HTTP 500", isPassing: true })
]

describe("what people read", () => {
  it("of each failure that is not a Pod's", ({ expect }) =>
    expect(failures.map((failure) => `${failure._tag}: ${failure.message}`)).toMatchSnapshot())
})
