/** Pods of ended runs: which are removed, and which never. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { sweep } from "../../src/background/OrphanedPods.ts"
import { Jobs } from "../../src/database/Jobs.ts"
import { PodRunner } from "../../src/kubernetes/PodRunner.ts"
import { PodWatch } from "../../src/kubernetes/PodWatch.ts"
import { SharedStorage } from "../../src/storage/SharedStorage.ts"
import { type RunState, TemporalClient } from "../../src/temporal/TemporalClient.ts"
import { unavailable } from "../../src/temporal/TemporalUnavailable.ts"
import { aPod } from "../support/PodBuilder.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

const NOW = Date.parse("2026-11-23T17:00:00Z")
const MINUTE = 60_000

/** Names of what is removed, of Pods whose runs are as given by their names. */
const removed = (
  runs: Readonly<Record<string, RunState | "unavailable">>,
  { namespace = "default", createdAt = NOW - 48 * 60 * MINUTE } = {}
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(NOW)
    const deleted: Array<string> = []
    const cleaned: Array<string> = []
    const pods = Object.keys(runs).map((name) => ({
      ...aPod().view(),
      name,
      uid: `uid-${name}`,
      annotations: {
        "olake.io/workflow-id": name,
        "olake.io/run-id": "r",
        "olake.io/temporal-namespace": namespace,
        "olake.io/created-at": new Date(createdAt).toISOString()
      }
    }))
    const layer = Layer.mergeAll(
      testConfigLayer(),
      Layer.mock(PodWatch, {
        synced: Effect.void,
        live: Effect.sync(() => pods)
      }),
      Layer.mock(PodRunner, {
        remove: ({ name, uid }) => Effect.sync(() => void deleted.push(`${name} ${uid}`))
      }),
      Layer.mock(Jobs, {}),
      Layer.mock(SharedStorage, {
        remove: (directory, files) =>
          Effect.sync(() => void cleaned.push(`${directory.length} ${files.join(" ")}`))
      }),
      Layer.mock(TemporalClient, {
        lookAt: (workflowId) => {
          const run = runs[workflowId] ?? "unavailable"
          return run === "unavailable" ? Effect.fail(unavailable("look")("away")) : Effect.succeed(run)
        }
      })
    )
    yield* sweep().pipe(Effect.provide(layer), Effect.ignore)
    // What holds credentials goes with the Pod.
    assert.deepStrictEqual(
      cleaned,
      deleted.map(() => "64 source.json destination.json")
    )
    return deleted
  })

const closed = (minutesAgo: number): RunState => ({ state: "closed", closedAt: NOW - minutesAgo * MINUTE })
const open: RunState = { state: "open" }
const unknown: RunState = { state: "unknown" }

describe("Pods of ended runs", () => {
  it.effect("go a quarter of an hour after their run, by name and uid", () =>
    Effect.gen(function* () {
      const given = { a: closed(16), b: closed(14), c: open }
      assert.deepStrictEqual(yield* removed(given), ["a uid-a"])
    })
  )

  it.effect("of a run that Temporal has forgotten go after a day", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* removed({ a: unknown, b: open }), ["a uid-a"])
      assert.deepStrictEqual(yield* removed({ a: unknown, b: open }, { createdAt: NOW - 60 * MINUTE }), [])
    })
  )

  it.effect("removes nothing where most runs are unknown", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* removed({ a: unknown, b: unknown, c: unknown, d: open }), [])
      // What is known to be over is no doubt.
      assert.deepStrictEqual(yield* removed({ a: unknown, b: unknown, c: unknown, d: closed(99) }), [
        "d uid-d"
      ])
    })
  )

  it.effect(
    "of another Temporal namespace are none of ours; of what Temporal does not tell nothing is decided",
    () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* removed({ a: closed(99) }, { namespace: "others" }), [])
        assert.deepStrictEqual(yield* removed({ a: "unavailable", b: closed(99) }), ["b uid-b"])
      })
  )
})
