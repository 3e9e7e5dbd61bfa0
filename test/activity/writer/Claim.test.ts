/**
 * Who may write for a job, and starting from which state: the claim with the real runner of Pods and the real storage.
 * The server is scripted, for its timing counts.
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import * as path from "node:path"
import { goNameOf, keyOf, nameOf, oldNameOf } from "../../../src/kubernetes/pod/PodIdentity.ts"
import type { PodJson } from "../../../src/kubernetes/pod/PodJson.ts"
import { PodWatch } from "../../../src/kubernetes/PodWatch.ts"
import { holdsCredentials } from "../../../src/olake/Connector.ts"
import type { Job } from "../../../src/olake/Job.ts"
import { hashOf, parseRunNote } from "../../../src/olake/RunNote.ts"
import { ofWriter, RUN_FILE, STATE_FILE, STREAMS_FILE } from "../../../src/olake/Workdir.ts"
import { SharedStorage } from "../../../src/storage/SharedStorage.ts"
import { StorageError } from "../../../src/storage/StorageError.ts"
import { TemporalUnavailable } from "../../../src/temporal/TemporalUnavailable.ts"
import {
  begun,
  claimed,
  claimTest as test,
  claimTestWithClock,
  leaveDirectory,
  NAMESPACE_ID,
  noteOf,
  other,
  putMarker,
  soon,
  type World,
  writer
} from "../../support/scripted/ClaimWorld.ts"
import { eventually } from "../../support/Conditions.ts"
import { createdFrom, json } from "../../support/scripted/ScriptedApi.ts"
import {
  CLAIM,
  creates,
  deletes,
  endWell,
  GOING,
  isPodCreate,
  leave,
  podOf,
  run,
  sync,
  terminated,
  watching
} from "../../support/scripted/ScriptedRunner.ts"

const OTHER = ofWriter("w-other")
const CLOSED = { state: "closed", closedAt: 0 } as const
const OPEN = { state: "open" } as const

/** A Pod as the Go worker makes them: named after its workflow, with no key. */
const gos = (workflowId: string, over: Partial<PodJson["metadata"]> = {}, status?: PodJson["status"]) => {
  const { "olake.io/key": _key, ...labels } = podOf(sync).metadata.labels ?? {}
  const annotations = { "olake.io/workflow-id": workflowId }
  return podOf(sync, { name: goNameOf(workflowId), uid: "uid-go", labels, annotations, ...over }, status)
}

/** A server that has heard of a delete, while the Pod stays. */
const keepDeleted = ({ api }: World) => {
  api.instead = ({ method }, response) => {
    if (method !== "DELETE") return false
    json(response, 200, {})
    return true
  }
}
const modified = (pod: PodJson, version: number, status: NonNullable<PodJson["status"]>): PodJson => ({
  ...pod,
  metadata: { ...pod.metadata, resourceVersion: String(version) },
  status
})
const isDeleted = ({ api }: World) =>
  eventually("it is deleted", () => (deletes(api) === 1 ? true : undefined))
const isMade = ({ api }: World) =>
  eventually("its job's next Pod is made", () => (creates(api) === 1 ? true : undefined))
const counts = ({ api }: World) => [creates(api), deletes(api), api.pods.length]
const credentialsIn = (files: ReadonlyArray<string>) => files.filter(holdsCredentials)

describe("another run's Pod", () => {
  test("another run's is waited for while that run is open", (world) =>
    Effect.gen(function* () {
      world.api.pods = [podOf(other())]
      world.runs = { "w-other": OPEN }
      const error = yield* Effect.flip(claimed(world))
      assert(error._tag === "JobBusy")
      assert.isTrue(error.isRetryable)
      assert.include(error.message, "w-other")
      assert.deepStrictEqual(counts(world), [0, 0, 1])
      assert.deepStrictEqual(world.started, [])
    }))

  for (const [what, over] of Object.entries({
    "another Temporal namespace": { temporalNamespace: "theirs" },
    "another task queue": { taskQueue: "theirs" }
  })) {
    test(`is in the way though it is of ${what}`, (world) =>
      Effect.gen(function* () {
        world.api.pods = [podOf(other(over))]
        world.runs = { "w-other": OPEN }
        assert.strictEqual((yield* Effect.flip(claimed(world)))._tag, "JobBusy")
        assert.deepStrictEqual(counts(world), [0, 0, 1])
      }))
  }

  test("is removed first where that run is over: its state is saved, its credentials go, then comes the next", (world) =>
    Effect.gen(function* () {
      world.api.pods = [podOf(other())]
      world.runs = { "w-other": CLOSED }
      const note = noteOf({ workflowId: "w-other", runId: "r-other" })
      yield* leaveDirectory(world, note, `{"lsn":"theirs"}`, OTHER)
      yield* world.put("source.json", "{}", OTHER)
      const claiming = yield* Effect.forkChild(begun(world))
      yield* isDeleted(world)
      leave(world.api, podOf(other()))
      const { state } = yield* Fiber.join(claiming)
      assert.deepStrictEqual(world.saved, [[7, `{"lsn":"theirs"}`, "741"]])
      assert.strictEqual(state, `{"lsn":"theirs"}`)
      assert.deepStrictEqual(credentialsIn(yield* world.list(OTHER)), [])
      assert.deepStrictEqual(counts(world), [1, 1, 1])
      assert.strictEqual(world.api.pods[0]?.metadata.name, nameOf(sync, CLAIM))
      assert.propertyVal(world.api.pods[0]?.metadata.labels, "olake.io/key", keyOf(run, "sync"))
    }))

  test("of a run that Temporal no longer knows counts as over where the namespace's id is ours", (world) =>
    Effect.gen(function* () {
      world.api.pods = [podOf(other({}, NAMESPACE_ID))]
      const claiming = yield* Effect.forkChild(begun(world))
      yield* isDeleted(world)
      leave(world.api, podOf(other()))
      yield* Fiber.join(claiming)
      assert.strictEqual(creates(world.api), 1)
    }))

  for (const [what, id] of [
    ["of another Temporal", "id-theirs"],
    ["of a Temporal that cannot be told", ""]
  ] as const) {
    test(`${what} is never removed while it runs, and the failure says whose it is`, (world) =>
      Effect.gen(function* () {
        world.api.pods = [podOf(other({ temporalNamespace: "theirs" }, id))]
        const error = yield* Effect.flip(claimed(world))
        assert(error._tag === "JobBusy")
        assert.isTrue(error.isForeign)
        assert.include(error.message, `"theirs"${id === "" ? "" : `, id ${id}`}`)
        assert.include(error.message, `kubectl delete pod ${nameOf(sync, CLAIM)}`)
        assert.deepStrictEqual(counts(world), [0, 0, 1])
      }))
  }

  test("of another Temporal that ended long ago is removed, and nothing of it is saved or touched", (world) =>
    Effect.gen(function* () {
      const theirs = podOf(other({}, "id-theirs"), {}, terminated(0, "2020-01-01T00:00:00Z"))
      world.api.pods = [theirs]
      const note = noteOf({ workflowId: "w-other", runId: "r-other" })
      yield* leaveDirectory(world, note, `{"lsn":"theirs"}`, OTHER)
      yield* world.put("source.json", "{}", OTHER)
      const claiming = yield* Effect.forkChild(begun(world))
      yield* isDeleted(world)
      leave(world.api, theirs)
      assert.strictEqual((yield* Fiber.join(claiming)).state, world.row.state)
      assert.deepStrictEqual(world.saved, [])
      assert.deepStrictEqual(credentialsIn(yield* world.list(OTHER)), ["source.json"])
    }))

  test("somebody else's of that name is never touched", (world) =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      const name = nameOf(sync, CLAIM)
      world.api.pods = [{ metadata: { name, uid: "uid-x", labels: { app: "other" } } }]
      world.api.instead = ({ method, url }, response) => {
        if (!isPodCreate(method, url)) return false
        json(response, 409, { reason: "AlreadyExists", message: "already exists" })
        return true
      }
      const error = yield* Effect.flip(claimed(world))
      assert(error._tag === "NameConflict")
      assert.include(error.message, name)
      assert.deepStrictEqual(counts(world), [1, 0, 1])
    }))
})

describe("a Pod of the Go worker's on the API server", () => {
  test("made after our list is found by its name in a later attempt", (world) =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      world.api.pods = [gos(run.workflowId)]
      yield* Effect.forkChild(endWell(world.api))
      assert.isUndefined((yield* claimed(world, { attempt: 2 })).failure)
      assert.deepStrictEqual(counts(world), [0, 0, 1])
    }))

  for (const state of ["open", "unknown"] as const) {
    test(`of a run that is ${state} is waited for, not removed`, (world) =>
      Effect.gen(function* () {
        world.api.pods = [gos("sync-123-7-other")]
        world.runs = { "sync-123-7-other": { state } }
        const error = yield* Effect.flip(claimed(world))
        assert.strictEqual(error._tag, "JobBusy")
        assert.include(error.message, "sync-123-7-other")
        assert.deepStrictEqual(counts(world), [0, 0, 1])
      }))
  }

  test("of a run that is over: what it left is seen to when it can write no more, before the next is prepared", (world) =>
    Effect.gen(function* () {
      const pod = gos("w-other")
      world.api.pods = [pod]
      world.runs = { "w-other": CLOSED }
      // An older worker of this project has noted the directory.
      yield* leaveDirectory(world, noteOf({ workflowId: "w-other", runId: "r-x" }), `{"lsn":"theirs"}`, OTHER)
      keepDeleted(world)
      const claiming = yield* Effect.forkChild(claimed(world))
      yield* isDeleted(world)
      assert.deepStrictEqual([world.saved, world.started], [[], []])
      world.api.send({ type: "MODIFIED", object: modified(pod, 20, terminated(143)) })
      yield* eventually("its state is saved", () => (world.saved.length > 0 ? true : undefined))
      // Its name is another: but two writers' Pods of one job are never there at once.
      assert.deepStrictEqual([world.started, creates(world.api)], [[], 0])
      leave(world.api, modified(pod, 21, terminated(143)))
      yield* isMade(world)
      assert.strictEqual(world.started[0]?.state, `{"lsn":"theirs"}`)
      yield* Fiber.interrupt(claiming)
    }))

  test("of a forgotten run that has ended holds up nobody: it is removed", (world) =>
    Effect.gen(function* () {
      const annotations = {
        "olake.io/workflow-id": "sync-123-7-other",
        "olake.io/created-at": "2026-11-01T00:00:00Z"
      }
      const pod = gos("sync-123-7-other", { annotations }, terminated(0))
      world.api.pods = [pod]
      const claiming = yield* Effect.forkChild(claimed(world))
      yield* isDeleted(world)
      leave(world.api, pod)
      yield* isMade(world)
      yield* Fiber.interrupt(claiming)
    }))
})

describe("a create in doubt", () => {
  test("made, but its answer is lost: found by its name, one Pod, waited for", (world) =>
    Effect.gen(function* () {
      world.api.instead = (asked, response) => {
        if (!isPodCreate(asked.method, asked.url)) return false
        world.api.pods.push(createdFrom(asked, 11))
        response.destroy()
        return true
      }
      yield* Effect.forkChild(endWell(world.api))
      assert.isUndefined((yield* claimed(world)).failure)
      assert.deepStrictEqual(counts(world), [1, 0, 1])
    }))

  test("one that the watch does not know yet is adopted by its name (409)", (world) =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      world.api.instead = (asked, response) => {
        if (!isPodCreate(asked.method, asked.url)) return false
        world.api.pods.push(createdFrom(asked, 11))
        json(response, 409, { reason: "AlreadyExists", message: "already exists" })
        return true
      }
      yield* Effect.forkChild(endWell(world.api))
      assert.isUndefined((yield* claimed(world)).failure)
      assert.deepStrictEqual(counts(world), [1, 0, 1])
    }))

  test("one that meets another run's Pod, which the watch does not know yet, is no second writer (409)", (world) =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      world.runs = { "w-other": OPEN }
      world.api.instead = ({ method, url }, response) => {
        if (!isPodCreate(method, url)) return false
        world.api.pods = [podOf(other())]
        json(response, 409, { reason: "AlreadyExists", message: "already exists" })
        return true
      }
      const error = yield* Effect.flip(claimed(world))
      assert(error._tag === "JobBusy")
      assert.include(error.message, "w-other")
      assert.deepStrictEqual(counts(world), [1, 0, 1])
    }))

  test("a conflict over the namespace's quota is tried again", (world) =>
    Effect.gen(function* () {
      let refused = 0
      const message = `Operation cannot be fulfilled on resourcequotas "jobs": the object has been modified; please apply your changes to the latest version and try again`
      world.api.instead = ({ method, url }, response) => {
        if (!isPodCreate(method, url) || (refused += 1) > 1) return false
        json(response, 409, { reason: "Conflict", message })
        return true
      }
      yield* Effect.forkChild(endWell(world.api))
      assert.isUndefined((yield* claimed(world)).failure)
      assert.deepStrictEqual(counts(world), [2, 0, 1])
      // Asked before each of them.
      assert.lengthOf(world.asked, 2)
    }))

  test("one that is never taken ends with the server's own words", (world) =>
    Effect.gen(function* () {
      world.api.instead = ({ method, url }, response) => {
        if (!isPodCreate(method, url)) return false
        json(
          response,
          500,
          { reason: "InternalError", message: "failed calling webhook" },
          { "retry-after": "0.01" }
        )
        return true
      }
      const error = yield* Effect.flip(claimed(world))
      assert.strictEqual(error._tag, "KubernetesError")
      assert.include(error.message, "failed calling webhook")
      assert.isAtLeast(creates(world.api), 5)
    }))
})

describe("the run's own Pod", () => {
  test("is waited for, whatever became of its row since", (world) =>
    Effect.gen(function* () {
      world.api.pods = [podOf(sync)]
      world.row = { ...world.row, sourceVersion: "no image tag" }
      yield* Effect.forkChild(endWell(world.api))
      assert.isUndefined((yield* claimed(world, { attempt: 2 })).failure)
      assert.deepStrictEqual(counts(world), [0, 0, 1])
      assert.deepStrictEqual([world.started, world.asked], [[], []])
    }))

  test("ours: no other is made until it is gone", (world) =>
    Effect.gen(function* () {
      const going = podOf(sync, GOING, terminated(143))
      world.api.pods = [going]
      const claiming = yield* Effect.forkChild(claimed(world))
      yield* watching(world.api)
      assert.deepStrictEqual([creates(world.api), world.started], [0, []])
      leave(world.api, going)
      yield* Effect.forkChild(endWell(world.api))
      assert.isUndefined((yield* Fiber.join(claiming)).failure)
      assert.deepStrictEqual([creates(world.api), world.started.length, deletes(world.api)], [1, 1, 0])
    }))

  test("that is going and still runs: its end is the run's answer, and no other is made", (world) =>
    Effect.gen(function* () {
      const going = podOf(sync, GOING)
      world.api.pods = [going]
      const claiming = yield* Effect.forkChild(claimed(world))
      yield* watching(world.api)
      leave(world.api, going)
      assert.strictEqual((yield* Fiber.join(claiming)).failure?.class, "DeletedExternally")
      assert.deepStrictEqual(counts(world), [0, 0, 0])
      assert.deepStrictEqual(world.started, [])
    }))

  test("that its maker had no time to give its Secret gets it, and nothing is written", (world) =>
    Effect.gen(function* () {
      const annotations = { ...podOf(sync).metadata.annotations, "olake.io/secret-name": "own-secret" }
      const pod = podOf(sync, { annotations }, { phase: "Pending" })
      world.api.pods = [pod]
      const claiming = yield* Effect.forkChild(claimed(world, { attempt: 2 }))
      yield* eventually("it has its Secret", () =>
        world.api.count("POST", /\/secrets/) === 1 ? true : undefined
      )
      assert.deepStrictEqual([creates(world.api), world.started.length], [0, 1])
      assert.deepStrictEqual(yield* world.list(), [])
      yield* Fiber.interrupt(claiming)
    }))

  test("whose image has no shell gives way to one without a shell around its connector", (world) =>
    Effect.gen(function* () {
      const commandOf = () =>
        (world.api.pods[0] as Partial<PodJson> & { spec: { containers: ReadonlyArray<object> } }).spec
          .containers[0]
      const claiming = yield* Effect.forkChild(claimed(world))
      yield* isMade(world)
      yield* watching(world.api)
      assert.property(commandOf(), "command")
      const first = world.api.pods[0] as PodJson
      const ended = modified(first, 30, terminated(127))
      world.api.pods = [ended]
      world.api.send({ type: "MODIFIED", object: ended })
      yield* isDeleted(world)
      leave(world.api, modified(first, 31, terminated(127)))
      yield* eventually("the next is made", () => (creates(world.api) === 2 ? true : undefined))
      assert.notProperty(commandOf(), "command")
      yield* Fiber.interrupt(claiming)
    }))
})

describe("a run that has its answer", () => {
  test("by its connector's own note, exit 0: it is the result, and no Pod is made", (world) =>
    Effect.gen(function* () {
      yield* putMarker(world)
      const { failure, view } = yield* claimed(world, { attempt: 2 })
      assert.isUndefined(failure)
      assert.strictEqual(view.name, nameOf(sync, CLAIM))
      assert.deepStrictEqual(counts(world), [0, 0, 0])
      assert.deepStrictEqual([world.started, world.asked], [[], []])
    }))

  test("by its connector's own note, exit 1: it is the connector's failure, and no Pod is made", (world) =>
    Effect.gen(function* () {
      yield* putMarker(world, { exitCode: 1 })
      const { failure } = yield* claimed(world, { attempt: 2 })
      assert.strictEqual(failure?.class, "ConnectorFailed")
      assert.strictEqual(failure?.exitCode, 1)
      assert.deepStrictEqual(counts(world), [0, 0, 0])
    }))

  test("has it though another run's Pod holds the job meanwhile", (world) =>
    Effect.gen(function* () {
      yield* putMarker(world)
      world.api.pods = [podOf(other())]
      world.runs = { "w-other": OPEN }
      assert.isUndefined((yield* claimed(world, { attempt: 2 })).failure)
      assert.deepStrictEqual(counts(world), [0, 0, 1])
    }))

  for (const [what, over] of Object.entries({
    "another run's note": { key: keyOf({ ...run, runId: "r-0" }, "sync") },
    "a connector that was told to stop": { stopped: true },
    "a connector that was killed": { exitCode: 137 }
  })) {
    test(`has none by ${what}: its Pod is made`, (world) =>
      Effect.gen(function* () {
        yield* putMarker(world, over)
        yield* begun(world)
        assert.strictEqual(creates(world.api), 1)
      }))
  }
})

/** A further attempt after a Pod of the run is gone. */
const begunAnew = (world: World, over: Partial<typeof writer>) =>
  Effect.gen(function* () {
    const [pod] = world.api.pods as ReadonlyArray<PodJson>
    if (pod !== undefined) {
      leave(world.api, pod)
      const watch = yield* PodWatch
      yield* eventually("the watch has heard of it", () =>
        Effect.runSync(watch.live).length === 0 ? true : undefined
      )
    }
    return yield* begun(world, over)
  })

describe("what the connector begins with", () => {
  test("is the row's state in a directory that is new, with the note that says so", (world) =>
    Effect.gen(function* () {
      const { state, files, start } = yield* begun(world)
      assert.strictEqual(state, world.row.state)
      assert.deepInclude(start, { isOwn: false, isFirst: true, hasState: true })
      assert.sameMembers([...files], [RUN_FILE, "destination.json", "source.json", STATE_FILE, STREAMS_FILE])
      assert.deepStrictEqual(parseRunNote((yield* world.text(RUN_FILE)) ?? ""), {
        jobId: 7,
        workflowId: run.workflowId,
        runId: run.runId,
        temporalNamespaceId: NAMESPACE_ID,
        key: keyOf(run, "sync"),
        attempt: 1,
        rowVersion: "741",
        stateHash: hashOf(world.row.state)
      })
    }))

  test("is the row's state where the directory's note names another run of the same workflow", (world) =>
    Effect.gen(function* () {
      yield* leaveDirectory(world, noteOf({ runId: "r-before" }), `{"lsn":"of before"}`)
      const { state, start } = yield* begun(world)
      assert.strictEqual(state, world.row.state)
      assert.deepInclude(start, { isOwn: false, isFirst: true })
      assert.strictEqual(parseRunNote((yield* world.text(RUN_FILE)) ?? "")?.runId, run.runId)
    }))

  test("is the run's own checkpoint where the note names this very run", (world) =>
    Effect.gen(function* () {
      yield* leaveDirectory(world, noteOf(), `{"lsn":"own"}`)
      const { state, start } = yield* begun(world, { attempt: 2 })
      assert.strictEqual(state, `{"lsn":"own"}`)
      assert.deepInclude(start, { state: `{"lsn":"own"}`, isOwn: true, isFirst: false })
      const note = parseRunNote((yield* world.text(RUN_FILE)) ?? "")
      assert.deepInclude(note, { attempt: 2, rowVersion: "741" })
      assert.notProperty(note, "stateHash")
      // And again: it stays the connector's.
      assert.strictEqual((yield* begunAnew(world, { attempt: 3 })).state, `{"lsn":"own"}`)
    }))

  test("is never the worker's own state taken for a connector's", (world) =>
    Effect.gen(function* () {
      const { state } = yield* begun(world)
      assert.strictEqual(state, `{"lsn":"row"}`)
      // The row goes on meanwhile: what the worker had put there is old news.
      world.row = { ...world.row, state: `{"lsn":"newer"}`, version: "742" }
      const next = yield* begunAnew(world, { attempt: 2 })
      assert.strictEqual(next.state, `{"lsn":"newer"}`)
      assert.deepInclude(next.start, { isOwn: false, isFirst: false })
    }))

  test("nor where all was removed but what the job goes on from", (world) =>
    Effect.gen(function* () {
      const { files } = yield* begun(world)
      const kept = [STATE_FILE, STREAMS_FILE, RUN_FILE]
      yield* Effect.flatMap(SharedStorage, (storage) =>
        storage.remove(
          writer.directory,
          files.filter((file) => !kept.includes(file))
        )
      )
      world.row = { ...world.row, state: `{"lsn":"newer"}`, version: "742" }
      const next = yield* begunAnew(world, { attempt: 2 })
      assert.strictEqual(next.state, `{"lsn":"newer"}`)
      assert.isFalse(next.start?.isOwn)
    }))

  test("is the row's where the run's own file is broken or says nothing", (world) =>
    Effect.gen(function* () {
      for (const text of [`{"lsn":`, "", "{}"]) {
        yield* leaveDirectory(world, noteOf(), text)
        assert.strictEqual((yield* begunAnew(world, { attempt: 2 })).state, world.row.state)
      }
    }))

  test("is the row's where an attempt failed between its note and its state, in a directory of another run", (world) =>
    Effect.gen(function* () {
      yield* leaveDirectory(world, noteOf({ runId: "r-before" }), `{"lsn":"of before"}`)
      const full = new StorageError({
        operation: "write",
        path: "source.json",
        reason: "ENOSPC",
        detail: ""
      })
      world.beforePrepare = Effect.fail(full)
      assert.strictEqual((yield* Effect.flip(claimed(world)))._tag, "StorageError")
      world.beforePrepare = Effect.void
      const { state, start } = yield* begun(world, { attempt: 2 })
      assert.strictEqual(state, world.row.state)
      assert.isFalse(start?.isOwn)
    }))
})

describe("an attempt", () => {
  test("is asked after right before its create, and made while Temporal waits for it", (world) =>
    Effect.gen(function* () {
      yield* begun(world, { attempt: 3 })
      assert.deepStrictEqual(world.asked, [
        { workflowId: run.workflowId, runId: run.runId, activityId: "activity-1", attempt: 3 }
      ])
    }))

  test("waits for a Temporal that is away for a moment", (world) =>
    Effect.gen(function* () {
      const away = new TemporalUnavailable({ operation: "look at workflow w-1", detail: "away" })
      world.standing = Effect.suspend(() =>
        world.asked.length === 1 ? Effect.fail(away) : Effect.succeed("current" as const)
      )
      yield* begun(world)
      assert.lengthOf(world.asked, 2)
    }))

  test("of a cancelled run: has no Pod made", (world) =>
    Effect.gen(function* () {
      world.standing = Effect.succeed("cancelled")
      const error = yield* Effect.flip(claimed(world))
      assert(error._tag === "Cancelled")
      assert.isFalse(error.isRetryable)
      assert.strictEqual(creates(world.api), 0)
    }))

  for (const standing of ["superseded", "over"] as const) {
    test(`that comes too late (${standing}): no Pod is made`, (world) =>
      Effect.gen(function* () {
        world.standing = Effect.succeed(standing)
        assert.strictEqual((yield* Effect.flip(claimed(world)))._tag, "Superseded")
        assert.strictEqual(creates(world.api), 0)
        assert.lengthOf(world.started, 1)
        // What it had prepared goes with it where the run is over; else the run's own end removes it.
        assert.lengthOf(credentialsIn(yield* world.list()), standing === "over" ? 0 : 2)
      }))
  }

  /** Another attempt writes its note while this one asks Temporal. */
  const overtakenBy = (world: World, note: string, standing: "superseded" | "over") => {
    world.standing = Effect.as(world.put(RUN_FILE, note), standing)
  }

  test("that is superseded while another attempt's note is there takes nothing away from it", (world) =>
    Effect.gen(function* () {
      overtakenBy(world, noteOf({ attempt: 2 }), "superseded")
      assert.strictEqual((yield* Effect.flip(claimed(world)))._tag, "Superseded")
      assert.strictEqual(creates(world.api), 0)
      assert.deepStrictEqual(credentialsIn(yield* world.list()), ["destination.json", "source.json"])
    }))

  test("of a run that is over leaves no credentials, whichever attempt's note is there", (world) =>
    Effect.gen(function* () {
      overtakenBy(world, noteOf({ attempt: 2 }), "over")
      assert.strictEqual((yield* Effect.flip(claimed(world)))._tag, "Superseded")
      assert.deepStrictEqual(credentialsIn(yield* world.list()), [])
    }))

  test("of a run that is over takes nothing away from a later run of its workflow", (world) =>
    Effect.gen(function* () {
      overtakenBy(world, noteOf({ runId: "r-2", attempt: 1 }), "over")
      assert.strictEqual((yield* Effect.flip(claimed(world)))._tag, "Superseded")
      assert.deepStrictEqual(credentialsIn(yield* world.list()), ["destination.json", "source.json"])
    }))
})

/** As the API server has it: one Pod of a name. */
const refuseSecond = ({ api }: World) => {
  api.instead = ({ method, url, body }, response) => {
    if (!isPodCreate(method, url)) return false
    const { name } = (JSON.parse(body) as PodJson).metadata
    if (!api.pods.some(({ metadata }) => metadata.name === name)) return false
    json(response, 409, { reason: "AlreadyExists", message: "already exists" })
    return true
  }
}

describe("two that write at once", () => {
  test("what a connector writes between the claim's read and its write stays", (world) =>
    Effect.gen(function* () {
      yield* leaveDirectory(world, noteOf(), `{"lsn":"row"}`)
      world.beforeReplace = (file) =>
        file === STATE_FILE ? world.put(STATE_FILE, `{"lsn":"connector's"}`) : Effect.void
      assert.strictEqual((yield* Effect.flip(claimed(world, { attempt: 2 })))._tag, "Superseded")
      assert.strictEqual(yield* world.text(STATE_FILE), `{"lsn":"connector's"}`)
      assert.strictEqual(creates(world.api), 0)
      // The next attempt goes on from it.
      world.beforeReplace = () => Effect.void
      assert.strictEqual((yield* begun(world, { attempt: 3 })).state, `{"lsn":"connector's"}`)
    }))

  test("what a connector writes while its configs are written stays as well", (world) =>
    Effect.gen(function* () {
      yield* leaveDirectory(world, noteOf(), `{"lsn":"row"}`)
      world.beforePrepare = world.put(STATE_FILE, `{"lsn":"connector's"}`)
      assert.strictEqual((yield* Effect.flip(claimed(world, { attempt: 2 })))._tag, "Superseded")
      assert.strictEqual(yield* world.text(STATE_FILE), `{"lsn":"connector's"}`)
      assert.strictEqual(creates(world.api), 0)
    }))

  test("and what it writes where there was no state", (world) =>
    Effect.gen(function* () {
      world.beforeReplace = (file) =>
        file === STATE_FILE ? world.put(STATE_FILE, `{"lsn":"connector's"}`) : Effect.void
      assert.strictEqual((yield* Effect.flip(claimed(world)))._tag, "Superseded")
      assert.strictEqual(yield* world.text(STATE_FILE), `{"lsn":"connector's"}`)
      assert.strictEqual(creates(world.api), 0)
    }))

  /** The first waits for the second. */
  const meeting = () => {
    const both = Latch.makeUnsafe(false)
    let waiting = 0
    return Effect.suspend(() => ((waiting += 1) === 2 ? both.open : both.await))
  }

  /** Two attempts that have both read the directory before either writes, and do each step at once; what comes of them. */
  const twoAttempts = (world: World) =>
    Effect.gen(function* () {
      refuseSecond(world)
      const written = meeting()
      const renamed: Readonly<Record<string, Effect.Effect<void>>> = {
        [RUN_FILE]: meeting(),
        [STATE_FILE]: meeting()
      }
      world.beforeReplace = (file) => (file === RUN_FILE ? written : Effect.void)
      // Not for long: where only one may get there, the second never comes.
      world.beforeRename = (to) =>
        Effect.ignore(Effect.timeout(renamed[path.basename(to)] ?? Effect.void, "2 seconds"))
      yield* Effect.forkChild(endWell(world.api))
      const attempts = [1, 2].map((attempt) => Effect.result(claimed(world, { attempt })))
      const results = yield* Effect.all(attempts, { concurrency: "unbounded" })
      return results.map((result) => (result._tag === "Success" ? "ended" : result.failure._tag))
    })
  const before = (world: World) => leaveDirectory(world, noteOf({ runId: "r-before" }), `{"lsn":"of before"}`)

  for (const [where, given] of [
    ["in a new directory", () => Effect.void],
    ["in a directory of another run", before]
  ] as const) {
    test(`two attempts ${where}: one Pod is made, the files are whole, and no draft is left`, (world) =>
      Effect.gen(function* () {
        yield* given(world)
        assert.include(yield* twoAttempts(world), "ended")
        assert.lengthOf(world.api.pods, 1)
        assert.strictEqual(yield* world.text(STATE_FILE), `{"lsn":"row"}`)
        assert.strictEqual(parseRunNote((yield* world.text(RUN_FILE)) ?? "")?.runId, run.runId)
        assert.deepStrictEqual(
          (yield* world.list()).filter((file) => file.endsWith(".tmp")),
          []
        )
      }))

    test(`two attempts ${where}: one of them hears that it comes too late`, (world) =>
      Effect.gen(function* () {
        yield* given(world)
        assert.sameMembers(yield* twoAttempts(world), ["ended", "Superseded"])
        assert.strictEqual(creates(world.api), 1)
      }))
  }
})

describe("a Pod of an ended run that a finalizer holds", () => {
  const finalizers = ["example.com/hold"]
  const theirs = podOf(other(), { finalizers }, terminated(0))
  const held = podOf(other(), { ...GOING, finalizers, resourceVersion: "20" }, terminated(0))

  const given = (world: World) =>
    Effect.gen(function* () {
      world.api.pods = [theirs]
      world.runs = { "w-other": CLOSED }
      keepDeleted(world)
      const note = noteOf({ workflowId: "w-other", runId: "r-other" })
      yield* leaveDirectory(world, note, `{"lsn":"theirs"}`, OTHER)
      const claiming = yield* Effect.forkChild(claimed(world))
      yield* soon("it is deleted", () => deletes(world.api) === 1)
      world.api.send({ type: "MODIFIED", object: held })
      yield* soon("its state is saved", () => world.saved.length === 1)
      return claiming
    })

  claimTestWithClock(
    "is released at once; the create waits for its name, and the failure names the finalizer",
    (world) =>
      Effect.gen(function* () {
        const claiming = yield* given(world)
        const { live } = yield* PodWatch
        yield* soon("the watch has heard", () =>
          Effect.runSync(live).some(({ deletionTimestamp }) => deletionTimestamp !== undefined)
        )
        assert.isUndefined(claiming.pollUnsafe())
        yield* Effect.repeat(
          Effect.andThen(TestClock.adjust("1 second"), TestClock.withLive(Effect.yieldNow)),
          { until: () => claiming.pollUnsafe() !== undefined }
        )
        const error = yield* Effect.flip(Fiber.join(claiming))
        assert(error._tag === "StillTerminating")
        assert.isTrue(error.isRetryable)
        assert.include(error.message, "finalizers keep it: example.com/hold")
        assert.deepStrictEqual(counts(world), [0, 1, 1])
        assert.deepStrictEqual(world.saved, [[7, `{"lsn":"theirs"}`, "741"]])
      })
  )

  test("makes room as soon as the finalizer is gone", (world) =>
    Effect.gen(function* () {
      const claiming = yield* given(world)
      assert.strictEqual(creates(world.api), 0)
      leave(world.api, held)
      yield* isMade(world)
      assert.strictEqual(deletes(world.api), 1)
      assert.strictEqual(world.started[0]?.state, `{"lsn":"theirs"}`)
      yield* Fiber.interrupt(claiming)
    }))
})

describe("a worker before 0.2 that runs beside this one", () => {
  const unheard = (world: World, job: Job) => {
    const pod = podOf(job, { name: oldNameOf(job), uid: "uid-old" })
    // On the server, and not told of by the watch yet.
    const appear = Effect.sync(() => {
      world.api.pods = [...world.api.pods, pod]
      return pod
    })
    return Effect.andThen(watching(world.api), appear)
  }

  test("has made this run's Pod, which the watch does not know yet: no second connector", (world) =>
    Effect.gen(function* () {
      const pod = yield* unheard(world, sync)
      const claiming = yield* Effect.forkChild(claimed(world, { attempt: 2 }))
      yield* soon("it is asked for by name", () => world.api.count("GET", new RegExp(oldNameOf(sync))) > 0)
      const ended = { ...pod, metadata: { ...pod.metadata, resourceVersion: "20" }, status: terminated(0) }
      world.api.pods = [ended]
      world.api.send({ type: "MODIFIED", object: ended })
      assert.isUndefined((yield* Fiber.join(claiming)).failure)
      assert.strictEqual(creates(world.api), 0)
    }))

  test("has made another open run's Pod for the job: the job is busy", (world) =>
    Effect.gen(function* () {
      world.runs = { "w-other": OPEN }
      yield* unheard(world, other())
      assert.strictEqual((yield* Effect.flip(claimed(world)))._tag, "JobBusy")
      assert.strictEqual(creates(world.api), 0)
    }))
})

test("of a file that was taken twice, the newest comes back", (world) =>
  Effect.gen(function* () {
    const storage = yield* SharedStorage
    const read = storage.read(writer.directory, STATE_FILE)
    yield* world.put("state.json.a-1.tmp.taken", "stale")
    yield* world.put("state.json.b-2.tmp.taken", "newest")
    yield* world.date("state.json.a-1.tmp.taken", 1_000)
    yield* world.date("state.json.b-2.tmp.taken", 2_000)
    assert.isTrue(yield* storage.restoreTaken(writer.directory, STATE_FILE))
    assert.deepStrictEqual(yield* read, Option.some("newest"))
    assert.deepStrictEqual(yield* world.list(), [STATE_FILE])
  }))
