/** Which attempts a worker that starts takes over, and which it leaves. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { AT_START, takeOver } from "../../src/background/Takeover.ts"
import { PodWatch } from "../../src/kubernetes/PodWatch.ts"
import type { Attempt } from "../../src/temporal/RunDescription.ts"
import { TemporalClient } from "../../src/temporal/TemporalClient.ts"
import { unavailable } from "../../src/temporal/TemporalUnavailable.ts"
import { aPod } from "../support/PodBuilder.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

const NOW = Date.parse("2026-11-23T17:00:00Z")
const attempt = (over: Partial<Attempt> = {}): Attempt => ({
  activityId: "6",
  type: "SyncActivity",
  identity: "worker-9@olake",
  isLast: false,
  startedAt: NOW - 60_000,
  heardAt: NOW - 1_000,
  ...over
})

/** Ids of the attempts that were failed, at once and after a while in which nothing more is heard. */
const takenOver = (
  given: ReadonlyArray<Attempt> | ((looks: number) => ReadonlyArray<Attempt>),
  namespace = "default",
  failures = 0
) =>
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
        live: Effect.sync(() => [pod])
      }),
      Layer.mock(TemporalClient, {
        namespaceId: Effect.succeed(""),
        openWriters: Effect.succeed([]),
        attempts: () =>
          Effect.suspend(() =>
            (looks += 1) <= failures
              ? Effect.fail(unavailable("look")("away"))
              : Effect.succeed(
                  (typeof given === "function" ? given(looks) : given).filter(
                    ({ activityId }) => !failed.includes(activityId)
                  )
                )
          ),
        failAttempt: (_workflow, _run, activityId) => Effect.sync(() => void failed.push(activityId))
      })
    )
    const fiber = yield* Effect.forkChild(takeOver(AT_START).pipe(Effect.provide(layer)))
    yield* TestClock.adjust("10 millis")
    const atOnce = [...failed]
    yield* TestClock.adjust("30 seconds")
    yield* Fiber.join(fiber)
    return { atOnce, later: failed, looks }
  })

describe("a worker that starts", () => {
  it.effect("takes over what nothing is heard of for 7 s by its own clock, under its own name too", () =>
    Effect.gen(function* () {
      for (const identity of ["worker-9@olake", "worker-1@olake"]) {
        const { atOnce, later } = yield* takenOver([attempt({ identity })])
        assert.deepStrictEqual([atOnce, later], [[], ["6"]])
      }
      // Temporal's clock may be anywhere.
      assert.deepStrictEqual((yield* takenOver([attempt({ heardAt: NOW - 900_000 })])).atOnce, [])
    })
  )

  it.effect("leaves what is heard of, by whoever it was taken", () =>
    Effect.gen(function* () {
      const living = (looks: number) => [attempt({ heardAt: NOW + looks * 5_000 })]
      assert.deepStrictEqual((yield* takenOver(living)).later, [])
    })
  )

  it.effect(
    "leaves the Go worker's, what may not be tried again, what is seldom heard of, other namespaces'",
    () =>
      Effect.gen(function* () {
        const left: ReadonlyArray<Partial<Attempt>> = [
          { identity: "9791@vm@" },
          { identity: "9791@vm@olake" },
          { identity: "worker-9@other" },
          { isLast: true },
          { type: "StopActivity" }
        ]
        for (const over of left) assert.deepStrictEqual((yield* takenOver([attempt(over)])).later, [])
        assert.deepStrictEqual((yield* takenOver([attempt()], "others")).looks, 0)
      })
  )

  it.effect("waits for Temporal, and ends when nothing is left", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* takenOver([attempt()], "default", 3)).later, ["6"])
      assert.strictEqual((yield* takenOver([])).looks, 1)
    })
  )
})
