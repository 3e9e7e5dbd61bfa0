/** Pods of ended runs: which are removed, and which never. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { sweep } from "../../src/background/OrphanedPods.ts"
import { Jobs } from "../../src/database/Jobs.ts"
import { PodRunner } from "../../src/kubernetes/PodRunner.ts"
import { PodWatch } from "../../src/kubernetes/PodWatch.ts"
import { SharedStorage } from "../../src/storage/SharedStorage.ts"
import type { RunState } from "../../src/temporal/RunDescription.ts"
import { TemporalClient } from "../../src/temporal/TemporalClient.ts"
import { unavailable } from "../../src/temporal/TemporalUnavailable.ts"
import { aPod } from "../support/PodBuilder.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

const NOW = Date.parse("2026-11-23T17:00:00Z")
const MINUTE = 60_000

const OWN_ID = "id-of-our-namespace"

interface Given {
  readonly namespace?: string
  /** The Temporal namespace's id that the Pods carry; none where undefined. */
  readonly podsId?: string | undefined
  /** What Temporal says of the worker's own namespace. */
  readonly ownId?: string
  readonly createdAt?: number
}

/** Names of what is removed, of Pods whose runs are as given by their names. */
const removed = (
  runs: Readonly<Record<string, RunState | "unavailable">>,
  { namespace = "default", podsId, ownId = OWN_ID, createdAt = NOW - 48 * 60 * MINUTE }: Given = {}
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(NOW)
    const deleted: Array<string> = []
    const cleaned: Array<string> = []
    const pods = Object.keys(runs).map((name) => ({
      ...aPod().view(),
      name,
      uid: `uid-${name}`,
      labels: {
        "app.kubernetes.io/managed-by": "olake-workers",
        "olake.io/key": name,
        "olake.io/operation-type": "sync",
        "olake.io/job-id": "7"
      },
      annotations: {
        "olake.io/workflow-id": name,
        "olake.io/run-id": "r",
        "olake.io/temporal-namespace": namespace,
        ...(podsId === undefined ? {} : { "olake.io/temporal-namespace-id": podsId }),
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
        read: () => Effect.succeed(Option.none()),
        restoreTaken: () => Effect.succeed(false),
        list: () => Effect.succeed(["source.json", "destination.json.worker-0-1f.tmp", "state.json"]),
        remove: (directory, files) =>
          Effect.sync(() => void cleaned.push(`${directory.length} ${files.join(" ")}`))
      }),
      Layer.mock(TemporalClient, {
        namespaceId: Effect.succeed(ownId),
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
      deleted.map(() => "64 source.json destination.json.worker-0-1f.tmp")
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

  it.effect(
    "of a run that this very Temporal has forgotten or deleted go a quarter of an hour after they began",
    () =>
      Effect.gen(function* () {
        const given = { a: unknown, b: open }
        assert.deepStrictEqual(yield* removed(given, { podsId: OWN_ID }), ["a uid-a"])
        const young = { podsId: OWN_ID, createdAt: NOW - 14 * MINUTE }
        assert.deepStrictEqual(yield* removed(given, young), [])
      })
  )

  it.effect(
    "of a run that is not known here stay, one or a hundred, where they may be another Temporal's",
    () =>
      Effect.gen(function* () {
        const hundred = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`p${n}`, unknown]))
        for (const runs of [{ a: unknown }, hundred])
          for (const given of [{}, { podsId: "another id" }, { ownId: "" }, { ownId: "", podsId: OWN_ID }])
            assert.deepStrictEqual(yield* removed(runs, given), [])
        // What is known to be over is no doubt, though an older worker did not name its Temporal.
        assert.deepStrictEqual(yield* removed({ a: unknown, d: closed(99) }), ["d uid-d"])
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
