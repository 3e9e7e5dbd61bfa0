/** Which attempts a worker that starts takes over, and which it leaves. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { run } from "../../src/activity/Recovery.ts"
import { PodWatch } from "../../src/kubernetes/PodWatch.ts"
import { type Attempt, TemporalClient, unavailable } from "../../src/temporal/TemporalClient.ts"
import { aPod } from "../support/PodBuilder.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

const NOW = Date.parse("2026-11-23T17:00:00Z")
const attempt = (over: Partial<Attempt> = {}): Attempt => ({
  activityId: "6",
  type: "SyncActivity",
  identity: "worker-9@olake",
  startedAt: NOW - 60_000,
  heardAt: NOW - 1_000,
  ...over
})

/** Ids of the attempts that were failed, at once and after a while in which nothing more is heard. */
const takenOver = (attempts: ReadonlyArray<Attempt>, namespace = "default", failures = 0) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(NOW)
    const failed: Array<string> = []
    let looks = 0
    const pod = {
      ...aPod().view(),
      annotations: {
        "olake.io/workflow-id": "w-1",
        "olake.io/run-id": "r-1",
        "olake.io/temporal-namespace": namespace
      }
    }
    const layer = Layer.mergeAll(
      testConfigLayer({ kubernetes: { podName: "worker-1" } }),
      Layer.mock(PodWatch, {
        synced: Effect.void,
        find: (predicate) => Effect.sync(() => (predicate(pod), undefined))
      }),
      Layer.mock(TemporalClient, {
        attempts: () =>
          Effect.suspend(() =>
            (looks += 1) <= failures
              ? Effect.fail(unavailable("look")("away"))
              : Effect.succeed(attempts.filter(({ activityId }) => !failed.includes(activityId)))
          ),
        failAttempt: (_workflow, _run, activityId) => Effect.sync(() => void failed.push(activityId))
      })
    )
    const fiber = yield* Effect.forkChild(run.pipe(Effect.provide(layer)))
    yield* TestClock.adjust("10 millis")
    const atOnce = [...failed]
    yield* TestClock.adjust("30 seconds")
    yield* Fiber.join(fiber)
    return { atOnce, later: failed, looks }
  })

describe("a worker that starts", () => {
  it.effect("takes over at once what it had itself before, under its own name", () =>
    Effect.gen(function* () {
      const { atOnce } = yield* takenOver([attempt({ identity: "worker-1@olake" })])
      assert.deepStrictEqual(atOnce, ["6"])
    })
  )

  it.effect("takes over another's once nothing is heard of it for 8 s", () =>
    Effect.gen(function* () {
      const { atOnce, later } = yield* takenOver([attempt()])
      assert.deepStrictEqual([atOnce, later], [[], ["6"]])
      assert.deepStrictEqual((yield* takenOver([attempt({ heardAt: NOW - 9_000 })])).atOnce, ["6"])
      // One that was taken a moment ago has not had to say anything yet.
      assert.deepStrictEqual((yield* takenOver([attempt({ heardAt: 0, startedAt: NOW - 1 })])).atOnce, [])
    })
  )

  it.effect("leaves what it has taken itself, what is seldom heard of, and other namespaces'", () =>
    Effect.gen(function* () {
      const own = attempt({ identity: "worker-1@olake", startedAt: NOW + 1 })
      assert.deepStrictEqual((yield* takenOver([own])).later, [])
      assert.deepStrictEqual((yield* takenOver([attempt({ type: "StopActivity", heardAt: 0 })])).later, [])
      assert.deepStrictEqual((yield* takenOver([attempt()], "others")).looks, 0)
    })
  )

  it.effect("waits for Temporal, and ends when all is in good hands", () =>
    Effect.gen(function* () {
      const waited = yield* takenOver([attempt({ identity: "worker-1@olake" })], "default", 3)
      assert.deepStrictEqual([waited.atOnce, waited.later], [[], ["6"]])
      assert.strictEqual((yield* takenOver([])).looks, 1)
    })
  )
})
