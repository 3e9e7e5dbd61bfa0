/** The end of a sync as a program: what is saved, what is waited for, what is given up. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { endSync } from "../../../src/activity/writer/EndSync.ts"
import { Jobs } from "../../../src/database/Jobs.ts"
import { DatabaseError } from "../../../src/database/Query.ts"
import { KubernetesError } from "../../../src/kubernetes/api/KubernetesError.ts"
import { PodRunner } from "../../../src/kubernetes/PodRunner.ts"
import { keyOf } from "../../../src/kubernetes/pod/PodSpec.ts"
import { SyncTelemetry } from "../../../src/notification/SyncTelemetry.ts"
import { InvalidFile } from "../../../src/storage/JsonFile.ts"
import { ofSync } from "../../../src/olake/Workdir.ts"
import { SharedStorage } from "../../../src/storage/SharedStorage.ts"
import { StorageError } from "../../../src/storage/StorageError.ts"
import { TemporalClient } from "../../../src/temporal/TemporalClient.ts"
import { testConfigLayer } from "../../support/TestConfig.ts"

const run = { temporalNamespace: "default", taskQueue: "q", workflowId: "w-1", runId: "r-1" }
const activity = { run, attempt: 1, scheduledAt: 0 }
const text = `{"lsn":1}`
const state = Effect.succeed(Option.some({ text, value: { lsn: 1 } }))

type Storage = Partial<SharedStorage["Service"]>

const ending = (over: {
  readonly storage?: Storage
  readonly save?: Effect.Effect<boolean, DatabaseError>
  readonly stop?: Effect.Effect<boolean, KubernetesError>
  readonly began?: boolean
  readonly outcome?: string
  readonly isOver?: boolean
}) => {
  const saved: Array<string> = []
  const storage = {
    hasDirectory: () => Effect.succeed(true),
    read: () => Effect.succeed(Option.none<string>()),
    readJson: () => state,
    isConnectors: () => Effect.succeed(true),
    ...over.storage
  }
  const layer = Layer.mergeAll(
    Layer.mock(PodRunner, { stop: () => over.stop ?? Effect.succeed(false) }),
    Layer.mock(SharedStorage, storage),
    Layer.mock(SyncTelemetry, {}),
    Layer.mock(TemporalClient, {
      lookAt: () =>
        Effect.succeed(over.isOver === true ? { state: "closed", closedAt: 0 } : { state: "open" })
    }),
    testConfigLayer({ storage: { path: "/data" } }),
    Layer.mock(Jobs, {
      versionOf: () => Effect.succeed("741"),
      saveState: (_, given) => Effect.suspend(() => (saved.push(given), over.save ?? Effect.succeed(true)))
    })
  )
  const params = {
    JobID: 7,
    WorkflowID: "w-1",
    Began: over.began ?? true,
    outcome: over.outcome ?? "completed"
  }
  return { saved, result: endSync(params, activity).pipe(Effect.provide(layer)) }
}

const database = (code: string) =>
  new DatabaseError({ operation: "save", reason: "X", detail: code, code, isRetryable: false })
const storageTrouble = new StorageError({
  operation: "read",
  path: "/data",
  reason: "PermissionDenied",
  detail: ""
})

describe("the end of a sync", () => {
  it.effect("saves what the connector left, as it is", () =>
    Effect.gen(function* () {
      const { saved, result } = ending({ stop: Effect.succeed(true) })
      assert.deepStrictEqual(yield* result, { finished: true, saved: true, state: { lsn: 1 } })
      assert.deepStrictEqual(saved, [text])
    })
  )

  it.effect("saves nothing that the worker itself had put there: the database may have something newer", () =>
    Effect.gen(function* () {
      const { saved, result } = ending({ storage: { isConnectors: () => Effect.succeed(false) } })
      assert.deepStrictEqual(yield* result, { finished: false, saved: false, state: {} })
      assert.deepStrictEqual(saved, [])
    })
  )

  it.effect("knows of a connector that had finished though its Pod is gone, by what a shell has noted", () =>
    Effect.gen(function* () {
      const note = { key: keyOf(activity.run, "sync"), uid: "u", exitCode: 0, stopped: false }
      const finished = (over: Partial<typeof note>) => {
        const read = () => Effect.succeed(Option.some(JSON.stringify({ ...note, ...over })))
        return Effect.map(ending({ storage: { read } }).result, (persisted) => persisted.finished)
      }
      assert.isTrue(yield* finished({}))
      assert.isFalse(yield* finished({ stopped: true }))
      assert.isFalse(yield* finished({ exitCode: 1 }))
      assert.isFalse(yield* finished({ key: "another run's" }))
    })
  )

  const waits: ReadonlyArray<readonly [string, Parameters<typeof ending>[0]]> = [
    ["a directory that must be there", { storage: { hasDirectory: () => Effect.succeed(false) } }],
    ["a storage that refuses", { storage: { readJson: () => Effect.fail(storageTrouble) } }],
    ["a Postgres of another password or without its table", { save: Effect.fail(database("42P01")) }],
    [
      "an API server that refuses the delete",
      {
        stop: Effect.fail(
          new KubernetesError({ operation: "delete Pod", status: 422, reason: "Invalid", detail: "" })
        )
      }
    ]
  ]
  for (const [what, over] of waits) {
    it.effect(`waits for ${what}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(ending(over).result)
        assert.strictEqual(error._tag, "StateUnsaved")
        assert.isTrue(error.isRetryable)
      })
    )
  }

  it.effect("has nothing to save where the run never began", () =>
    Effect.gen(function* () {
      const storage = (isInUse: boolean) => ({
        hasDirectory: () => Effect.succeed(false),
        isInUse: Effect.succeed(isInUse)
      })
      for (const over of [
        { outcome: "cancelled", storage: storage(true) },
        // As the very first run of an installation, refused before it had a directory.
        { outcome: "failed", storage: storage(false) }
      ])
        assert.isFalse((yield* ending({ began: false, ...over }).result).saved)
    })
  )

  it.effect(
    "waits an hour for an empty volume, where a cancelled run may have left something on another",
    () =>
      Effect.gen(function* () {
        const storage = { hasDirectory: () => Effect.succeed(false), isInUse: Effect.succeed(false) }
        const { result } = ending({ began: false, outcome: "cancelled", storage })
        const error = yield* Effect.flip(result)
        assert.include(error.message, `The run's directory /data/${ofSync("w-1")} is not there`)
        assert.include(error.message, "tried again for 1 hour")
        yield* TestClock.adjust("1 hour")
        assert.isFalse((yield* result).saved)
      })
  )

  it.effect("gives up a state that is none, and one that Postgres cannot hold", () =>
    Effect.gen(function* () {
      const broken = Effect.fail(new InvalidFile({ path: "/data/state.json", problem: "is empty" }))
      for (const over of [
        { storage: { readJson: () => broken } },
        { save: Effect.fail(database("22P05")) }
      ]) {
        const error = yield* Effect.flip(ending(over).result)
        assert.strictEqual(error._tag, "InvalidState")
        assert.isFalse(error.isRetryable)
      }
    })
  )
})

describe("the end of a run of the second contract", () => {
  const request = {
    command: "sync",
    workflow_id: "w-1",
    job_id: 7,
    project_id: "123",
    connector_type: "",
    version: "",
    timeout: 0,
    began: true,
    outcome: "completed"
  } as const
  const broken = Effect.fail(new InvalidFile({ path: "/data/state.json", problem: "is empty" }))

  it.effect("takes away what holds credentials, though the state is none", () =>
    Effect.gen(function* () {
      const removed: Array<string> = []
      const layer = Layer.mergeAll(
        Layer.mock(PodRunner, { stop: () => Effect.succeed(false) }),
        Layer.mock(SharedStorage, {
          hasDirectory: () => Effect.succeed(true),
          isConnectors: () => Effect.succeed(true),
          read: () => Effect.succeed(Option.none<string>()),
          readJson: () => broken,
          remove: (_directory, files) => Effect.sync(() => void removed.push(...files))
        }),
        Layer.mock(SyncTelemetry, {}),
        Layer.mock(TemporalClient, {}),
        testConfigLayer({}),
        Layer.mock(Jobs, {})
      )
      const error = yield* Effect.flip(endSync(request, activity).pipe(Effect.provide(layer)))
      assert.strictEqual(error._tag, "InvalidState")
      assert.deepStrictEqual(removed, ["source.json", "destination.json"])
    })
  )
})
