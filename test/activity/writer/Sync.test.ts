/** What a sync's activity needs, and what it does without where its Pod runs already. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { sync } from "../../../src/activity/writer/Sync.ts"
import { Decryption } from "../../../src/database/Decryption.ts"
import { JobNotFound, Jobs } from "../../../src/database/Jobs.ts"
import type { PodView } from "../../../src/kubernetes/pod/PodView.ts"
import type { PodExit } from "../../../src/kubernetes/PodEnd.ts"
import { PodRunner } from "../../../src/kubernetes/PodRunner.ts"
import { SyncTelemetry } from "../../../src/notification/SyncTelemetry.ts"
import type { SyncRequest } from "../../../src/olake/contract/Request.ts"
import { SharedStorage } from "../../../src/storage/SharedStorage.ts"
import { TemporalClient } from "../../../src/temporal/TemporalClient.ts"
import { aPod } from "../../support/PodBuilder.ts"
import { testConfigLayer } from "../../support/TestConfig.ts"

const run = { temporalNamespace: "default", taskQueue: "q", workflowId: "w-1", runId: "r-1" }
const activity = { run, activityId: "1", attempt: 2, scheduledAt: 0 }
const exit: PodExit = { view: aPod().view(), failure: undefined, log: Effect.succeed("") }
const missing = new JobNotFound({ jobId: 7, table: "olake-wrong-job" })

/** Everything around it is broken: the row is gone, or RUN_MODE is another. */
const broken = (own: PodView | undefined) =>
  Layer.mergeAll(
    testConfigLayer(),
    Layer.mock(PodRunner, {
      find: () => Effect.succeed({ own, inTheWay: [] }),
      awaitEnd: () => Effect.succeed(exit),
      needsNoShell: () => Effect.succeed(false)
    }),
    Layer.mock(Jobs, { read: () => Effect.fail(missing) }),
    Layer.mock(SharedStorage, {
      read: () => Effect.succeed(Option.none()),
      restoreTaken: () => Effect.succeed(false)
    }),
    Layer.mock(Decryption, {}),
    Layer.mock(SyncTelemetry, {}),
    Layer.mock(TemporalClient, { standing: () => Effect.succeed("current" as const) })
  )

const common = {
  operation: "sync",
  jobId: 7,
  connector: "",
  workflowId: "w-1",
  idField: "workflow_id",
  keepsLog: false,
  timeout: undefined,
  projectId: "123"
} as const
const requests: Readonly<Record<string, SyncRequest>> = {
  first: { ...common, args: undefined },
  second: { ...common, args: ["sync"] }
}

describe("a sync that is taken over", () => {
  for (const [contract, request] of Object.entries(requests)) {
    it.effect(`${contract} contract: waits for the Pod that runs, whatever became of its row since`, () =>
      Effect.gen(function* () {
        const found = broken(exit.view)
        assert.strictEqual((yield* sync(request, activity).pipe(Effect.provide(found))).pod, exit.view.name)
        // Where there is none, the row is needed.
        const created = broken(undefined)
        const error = yield* Effect.flip(sync(request, activity).pipe(Effect.provide(created)))
        assert.strictEqual(error._tag, "JobNotFound")
      })
    )
  }
})
