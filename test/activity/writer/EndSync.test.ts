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
import { keyOf } from "../../../src/kubernetes/pod/PodIdentity.ts"
import type { PodView } from "../../../src/kubernetes/pod/PodView.ts"
import { SyncTelemetry } from "../../../src/notification/SyncTelemetry.ts"
import type { EndRequest } from "../../../src/olake/contract/Request.ts"
import { hashOf } from "../../../src/olake/RunNote.ts"
import { ofWriter } from "../../../src/olake/Workdir.ts"
import { SharedStorage } from "../../../src/storage/SharedStorage.ts"
import { StorageError } from "../../../src/storage/StorageError.ts"
import { TemporalClient } from "../../../src/temporal/TemporalClient.ts"
import { aPod } from "../../support/PodBuilder.ts"
import { testConfigLayer } from "../../support/TestConfig.ts"

const run = { temporalNamespace: "default", taskQueue: "q", workflowId: "w-1", runId: "r-1" }
const activity = { run, activityId: "2", attempt: 1, scheduledAt: 0 }
const text = `{"lsn":1}`
const NOTE = { jobId: 7, workflowId: "w-1", rowVersion: "740", runId: "r-1" }

const REQUEST: EndRequest = {
  operation: "sync",
  catalog: "whole",
  jobId: 7,
  connector: "",
  version: "",
  projectId: "123",
  timeout: 0,
  workflowId: "w-1",
  idField: "WorkflowID",
  keepsLog: false,
  outcome: "completed",
  began: true,
  activates: true,
  reports: false,
  answers: "state"
}

type Storage = Partial<SharedStorage["Service"]>

/** The run's directory: its files by name. */
const directory = (over: Readonly<Record<string, string | undefined>> = {}): Storage => {
  const files: Readonly<Record<string, string | undefined>> = {
    "state.json": text,
    ".olake-run.json": JSON.stringify(NOTE),
    ...over
  }
  return {
    hasDirectory: () => Effect.succeed(true),
    list: () => Effect.succeed(Object.keys(files)),
    remove: () => Effect.void,
    restoreTaken: () => Effect.succeed(false),
    read: (_directory, file) => Effect.succeed(Option.fromNullishOr(files[file]))
  }
}

const ending = (over: {
  readonly storage?: Storage
  readonly save?: Effect.Effect<boolean, DatabaseError>
  readonly stop?: Effect.Effect<PodView | undefined, KubernetesError>
  readonly files?: Readonly<Record<string, string | undefined>>
  readonly began?: boolean
  readonly outcome?: EndRequest["outcome"]
  readonly isOver?: boolean
}) => {
  const saved: Array<string> = []
  const storage = { ...directory(over.files), ...over.storage }
  const layer = Layer.mergeAll(
    Layer.mock(PodRunner, { stop: () => over.stop ?? Effect.succeed(undefined) }),
    Layer.mock(SharedStorage, storage),
    Layer.mock(SyncTelemetry, {}),
    Layer.mock(TemporalClient, {
      lookAt: () =>
        Effect.succeed(over.isOver === true ? { state: "closed", closedAt: 0 } : { state: "open" })
    }),
    testConfigLayer({ storage: { path: "/data" } }),
    Layer.mock(Jobs, {
      versionOf: () => Effect.succeed("741"),
      saveState: (_, given, { version }) =>
        Effect.suspend(() => (saved.push(`${given} over ${version}`), over.save ?? Effect.succeed(true)))
    })
  )
  const request = {
    ...REQUEST,
    began: over.began ?? true,
    outcome: over.outcome ?? ("completed" as const)
  }
  return { saved, result: endSync(request, activity).pipe(Effect.provide(layer)) }
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
      const { saved, result } = ending({ stop: Effect.succeed(aPod().exited(0).view()) })
      assert.deepStrictEqual(yield* result, { finished: true, saved: true, state: { lsn: 1 } })
      assert.deepStrictEqual(saved, [`${text} over 741`])
    })
  )

  it.effect("saves nothing that the worker itself had put there: the database may have something newer", () =>
    Effect.gen(function* () {
      const { saved, result } = ending({
        files: { ".olake-run.json": JSON.stringify({ ...NOTE, stateHash: hashOf(text) }) }
      })
      assert.deepStrictEqual(yield* result, { finished: false, saved: false, state: {} })
      assert.deepStrictEqual(saved, [])
    })
  )

  it.effect("knows of a connector that had finished though its Pod is gone, by what a shell has noted", () =>
    Effect.gen(function* () {
      const note = { key: keyOf(activity.run, "sync"), uid: "u", exitCode: 0, stopped: false }
      const finished = (over: Partial<typeof note>) => {
        const files = { ".olake-exit.json": JSON.stringify({ ...note, ...over }) }
        return Effect.map(ending({ files }).result, (persisted) => persisted.finished)
      }
      assert.isTrue(yield* finished({}))
      assert.isFalse(yield* finished({ stopped: true }))
      assert.isFalse(yield* finished({ exitCode: 1 }))
      assert.isFalse(yield* finished({ key: "another run's" }))
    })
  )

  const waits: ReadonlyArray<readonly [string, Parameters<typeof ending>[0]]> = [
    ["a directory that must be there", { storage: { hasDirectory: () => Effect.succeed(false) } }],
    ["a storage that refuses", { storage: { read: () => Effect.fail(storageTrouble) } }],
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
      const given: ReadonlyArray<Parameters<typeof ending>[0]> = [
        { outcome: "cancelled", storage: storage(true) },
        // As the very first run of an installation, refused before it had a directory.
        { outcome: "failed", storage: storage(false) }
      ]
      for (const over of given) assert.isFalse((yield* ending({ began: false, ...over }).result).saved)
    })
  )

  it.effect(
    "waits an hour for an empty volume, where a cancelled run may have left something on another",
    () =>
      Effect.gen(function* () {
        const storage = { hasDirectory: () => Effect.succeed(false), isInUse: Effect.succeed(false) }
        const { result } = ending({ began: false, outcome: "cancelled", storage })
        const error = yield* Effect.flip(result)
        assert.include(error.message, `The run's directory /data/${ofWriter("w-1")} is not there`)
        assert.include(error.message, "tried again for 1 hour")
        yield* TestClock.adjust("1 hour")
        assert.isFalse((yield* result).saved)
      })
  )

  it.effect("gives up a state that is none, and one that Postgres cannot hold", () =>
    Effect.gen(function* () {
      for (const over of [{ files: { "state.json": "" } }, { save: Effect.fail(database("22P05")) }]) {
        const error = yield* Effect.flip(ending(over).result)
        assert.strictEqual(error._tag, "InvalidState")
        assert.isFalse(error.isRetryable)
      }
    })
  )
})

describe("a directory that is not the ending run's", () => {
  const another = { ".olake-run.json": JSON.stringify({ ...NOTE, runId: "r-2" }) }

  it.effect("of another run of the workflow: nothing of it is saved, or removed", () =>
    Effect.gen(function* () {
      const removed: Array<string> = []
      const storage = {
        ...directory({ ...another, "source.json": "{}" }),
        remove: (_: string, files: ReadonlyArray<string>) => Effect.sync(() => void removed.push(...files))
      }
      for (const stop of [Effect.succeed(undefined), Effect.succeed(aPod().exited(0).view())]) {
        const { saved, result } = ending({ storage, stop })
        assert.isFalse((yield* result).saved)
        assert.deepStrictEqual([saved, removed], [[], []])
      }
    })
  )

  it.effect(
    "of a worker before 0.2, whose note names no run: by what shows that this run has worked there",
    () =>
      Effect.gen(function* () {
        const { runId: _, ...old } = NOTE
        const noted = (more: object) => ({ ".olake-run.json": JSON.stringify({ ...old, ...more }) })
        const isSaved = (given: Parameters<typeof ending>[0]) =>
          Effect.map(ending(given).result, ({ saved }) => saved)
        const exit = JSON.stringify({ key: keyOf(run, "sync"), uid: "u", exitCode: 0, stopped: false })
        // Somebody has written to the row since: it may be a later run's.
        assert.isFalse(yield* isSaved({ files: noted({}), began: false }))
        assert.isTrue(yield* isSaved({ files: noted({}) }))
        assert.isTrue(yield* isSaved({ files: noted({ rowVersion: "741" }), began: false }))
        assert.isTrue(yield* isSaved({ files: { ...noted({}), ".olake-exit.json": exit }, began: false }))
        assert.isTrue(
          yield* isSaved({ files: noted({}), began: false, stop: Effect.succeed(aPod().running().view()) })
        )
        assert.isFalse(yield* isSaved({ files: noted({ rowVersion: "741", workflowId: "w-2" }) }))
      })
  )

  it.effect("of the Go worker, which leaves no note, is the run's", () =>
    Effect.gen(function* () {
      const { saved, result } = ending({ files: { ".olake-run.json": undefined } })
      assert.isTrue((yield* result).saved)
      assert.deepStrictEqual(saved, [`${text} over 741`])
      // Its Pod went with the cancel.
      const { result: cancelled } = ending({ files: { ".olake-run.json": undefined }, began: false })
      assert.isTrue((yield* cancelled).saved)
    })
  )

  it.effect("a run that is over saves against the row as it began", () =>
    Effect.gen(function* () {
      const { saved, result } = ending({ isOver: true })
      assert.isTrue((yield* result).saved)
      assert.deepStrictEqual(saved, [`${text} over 740`])
    })
  )

  it.effect("what cannot be removed holds up no state", () =>
    Effect.gen(function* () {
      const storage = { ...directory({ "source.json": "{}" }), remove: () => Effect.fail(storageTrouble) }
      assert.isTrue((yield* ending({ storage }).result).saved)
    })
  )
})

describe("the end of a run of the second contract", () => {
  const request: EndRequest = { ...REQUEST, reports: true, answers: "path" }

  it.effect("takes away what holds credentials, though the state is none", () =>
    Effect.gen(function* () {
      const removed: Array<string> = []
      const layer = Layer.mergeAll(
        Layer.mock(PodRunner, { stop: () => Effect.succeed(undefined) }),
        Layer.mock(SharedStorage, {
          ...directory({ "state.json": "", "source.json": "{}", "destination.json.worker-0-1f.tmp": "{" }),
          remove: (_directory, files) => Effect.sync(() => void removed.push(...files))
        }),
        Layer.mock(SyncTelemetry, {}),
        Layer.mock(TemporalClient, {}),
        testConfigLayer({}),
        Layer.mock(Jobs, {})
      )
      const error = yield* Effect.flip(endSync(request, activity).pipe(Effect.provide(layer)))
      assert.strictEqual(error._tag, "InvalidState")
      assert.deepStrictEqual(removed, ["source.json", "destination.json.worker-0-1f.tmp"])
    })
  )
})
