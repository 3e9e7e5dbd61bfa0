import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { KubernetesError } from "../../src/kubernetes/api/KubernetesError.ts"
import * as Refusals from "../../src/kubernetes/Refusals.ts"
import type { JobIdentity } from "../../src/olake/Job.ts"

const run = { temporalNamespace: "default", taskQueue: "q", workflowId: "w-1", runId: "r-1" }
const sync: JobIdentity = { operation: "sync", jobId: 7, run }
const check: JobIdentity = { operation: "check", jobId: 0, run }
const NAME = "olake-job-7-0123456789"
const refusal = (detail: string) =>
  new KubernetesError({ operation: "create Pod", status: 403, reason: "Forbidden", detail })
const right = refusal("may not create pods")
const quota = refusal("exceeded quota: jobs")

describe("a Pod that the API server refuses", () => {
  it.effect("is given up 5 minutes after the first refusal, however long its run goes on already", () =>
    Effect.gen(function* () {
      const refusals = Refusals.make()
      yield* TestClock.adjust("3 hours")
      assert.strictEqual((yield* refusals.met(sync, NAME, right))._tag, "KubernetesError")
      yield* TestClock.adjust("299 seconds")
      assert.strictEqual((yield* refusals.met(sync, NAME, right))._tag, "KubernetesError")
      yield* TestClock.adjust("1 second")
      const final = yield* refusals.met(sync, NAME, right)
      assert(final._tag === "PodRefused")
      assert.isFalse(final.isRetryable)
      assert.include(final.message, NAME)
      assert.include(final.message, "refused for 5 minutes")
      assert.include(final.message, "may not create pods")
    })
  )

  it.effect("is waited for an hour where a quota is used up and it is a sync's", () =>
    Effect.gen(function* () {
      const refusals = Refusals.make()
      const both = () => Effect.all([refusals.met(sync, NAME, quota), refusals.met(check, NAME, quota)])
      yield* both()
      yield* TestClock.adjust("59 minutes")
      assert.deepStrictEqual(
        (yield* both()).map(({ _tag }) => _tag),
        ["KubernetesError", "PodRefused"]
      )
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* refusals.met(sync, NAME, quota))._tag, "PodRefused")
    })
  )

  it.effect("counts anew once it was made, and for each run", () =>
    Effect.gen(function* () {
      const refusals = Refusals.make()
      yield* refusals.met(sync, NAME, right)
      yield* TestClock.adjust("5 minutes")
      const other = { ...sync, run: { ...run, runId: "r-2" } }
      assert.strictEqual((yield* refusals.met(other, NAME, right))._tag, "KubernetesError")
      yield* refusals.over(sync)
      assert.strictEqual((yield* refusals.met(sync, NAME, right))._tag, "KubernetesError")
    })
  )
})
