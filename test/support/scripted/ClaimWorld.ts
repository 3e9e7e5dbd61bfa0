/** A claim with the real runner of Pods on a scripted server, and the real storage in a folder of its own. */
import { it } from "@effect/vitest"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { claim } from "../../../src/activity/writer/Claim.ts"
import type { Start, Writer } from "../../../src/activity/writer/Preparation.ts"
import { type JobRow, Jobs } from "../../../src/database/Jobs.ts"
import type { WorkerConfig } from "../../../src/Config.ts"
import { keyOf } from "../../../src/kubernetes/pod/PodIdentity.ts"
import type { PodRunner } from "../../../src/kubernetes/PodRunner.ts"
import type { PodWatch } from "../../../src/kubernetes/PodWatch.ts"
import { requestedSync, SYNC_ARGS } from "../../../src/olake/Connector.ts"
import type { ExitMarker } from "../../../src/olake/ExitMarker.ts"
import type { Job } from "../../../src/olake/Job.ts"
import { encodeRunNote, hashOf, type RunNote } from "../../../src/olake/RunNote.ts"
import { EXIT_FILE, ofWriter, RUN_FILE, STATE_FILE } from "../../../src/olake/Workdir.ts"
import { SharedStorage } from "../../../src/storage/SharedStorage.ts"
import type { StorageError } from "../../../src/storage/StorageError.ts"
import type { AttemptIdentity, RunState, Standing } from "../../../src/temporal/RunDescription.ts"
import { TemporalClient } from "../../../src/temporal/TemporalClient.ts"
import type { TemporalUnavailable } from "../../../src/temporal/TemporalUnavailable.ts"
import { eventually, temporaryFolder } from "../Conditions.ts"
import { scriptedApi, type ScriptedPods, scriptedPods } from "./ScriptedApi.ts"
import { creates, run, scriptedRunner, sync } from "./ScriptedRunner.ts"

/** The id of the worker's Temporal namespace. */
export const NAMESPACE_ID = "id-own"

export const writer: Writer = {
  operation: "sync",
  jobId: 7,
  run,
  activityId: "activity-1",
  attempt: 1,
  directory: ofWriter(run.workflowId)
}

/** Another run's job, which writes for the same job of OLake's. */
export const other = (over: Partial<Job["run"]> = {}, temporalNamespaceId = NAMESPACE_ID): Job => ({
  ...sync,
  run: { ...run, workflowId: "w-other", runId: "r-other", ...over },
  temporalNamespaceId
})

const ROW: JobRow = {
  sourceType: "postgres",
  sourceVersion: "v1",
  sourceConfig: "{}",
  destinationConfig: "{}",
  catalog: { form: "whole", streams: "{}" },
  advancedSettings: "",
  state: `{"lsn":"row"}`,
  version: "741"
}

/** What a test says of the world around a claim, and what came of it; all may change while it runs. */
export interface World {
  readonly api: ScriptedPods
  row: JobRow
  /** What Temporal says of runs, by workflow; it does not know the others. */
  runs: Readonly<Record<string, RunState>>
  standing: Effect.Effect<Standing, TemporalUnavailable>
  /** What Temporal was asked of attempts. */
  readonly asked: Array<AttemptIdentity>
  /** States that were saved: job, text, version of the row. */
  readonly saved: Array<readonly [number, string, string]>
  /** Each start that a command line was asked for. */
  readonly started: Array<Start>
  /** What happens right before the storage replaces that file. */
  beforeReplace: (file: string) => Effect.Effect<void>
  /** What happens right before a file gets another's name. */
  beforeRename: (to: string) => Effect.Effect<void>
  /** What happens right before the storage writes a run's configs. */
  beforePrepare: Effect.Effect<void, StorageError>
  /** Paths are inside the storage; a writer's directory is made. */
  readonly put: (file: string, text: string, directory?: string) => Effect.Effect<void>
  /** Says when a file was written, in seconds since the epoch. */
  readonly date: (file: string, at: number) => Effect.Effect<void>
  readonly text: (file: string, directory?: string) => Effect.Effect<string | undefined>
  readonly list: (directory?: string) => Effect.Effect<ReadonlyArray<string>>
}

const unlessMissing =
  <A>(otherwise: A) =>
  (error: unknown): A => {
    if (Object(error).code === "ENOENT") return otherwise
    throw error
  }

const makeWorld = (api: ScriptedPods, root: string): World => ({
  api,
  row: ROW,
  runs: {},
  standing: Effect.succeed("current"),
  asked: [],
  saved: [],
  started: [],
  beforeReplace: () => Effect.void,
  beforeRename: () => Effect.void,
  beforePrepare: Effect.void,
  put: (file, text, directory = writer.directory) =>
    Effect.promise(async () => {
      await fs.mkdir(path.join(root, directory), { recursive: true })
      await fs.writeFile(path.join(root, directory, file), text)
    }),
  date: (file, at) => Effect.promise(() => fs.utimes(path.join(root, writer.directory, file), at, at)),
  text: (file, directory = writer.directory) =>
    Effect.promise(() =>
      fs.readFile(path.join(root, directory, file), "utf8").catch(unlessMissing(undefined))
    ),
  list: (directory = writer.directory) =>
    Effect.promise(async () => {
      const names = await fs.readdir(path.join(root, directory)).catch(unlessMissing<Array<string>>([]))
      return names.toSorted()
    })
})

const around = (world: World, kubeconfig: string, root: string) => {
  const runner = scriptedRunner(kubeconfig, { storage: { path: root } })
  const files = Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (own) => ({
      ...own,
      rename: (from, to) => Effect.andThen(world.beforeRename(to), own.rename(from, to))
    }))
  ).pipe(Layer.provide(NodeFileSystem.layer))
  const real = SharedStorage.layer.pipe(Layer.provide([files, runner]))
  const storage = Layer.effect(
    SharedStorage,
    Effect.map(SharedStorage, (own) =>
      SharedStorage.of({
        ...own,
        replace: (...args) => Effect.andThen(world.beforeReplace(args[1]), own.replace(...args)),
        prepare: (...args) =>
          Effect.andThen(
            Effect.suspend(() => world.beforePrepare),
            own.prepare(...args)
          )
      })
    )
  ).pipe(Layer.provide(real))
  const jobs = Layer.mock(Jobs, {
    read: () => Effect.sync(() => world.row),
    saveState: (job, state, { version }) =>
      Effect.sync(() => {
        if (version !== world.row.version) return false
        world.saved.push([job, state, version])
        world.row = { ...world.row, state, version: `${Number(version) + 1}` }
        return true
      })
  })
  const temporal = Layer.mock(TemporalClient, {
    lookAt: (workflowId) => Effect.sync(() => world.runs[workflowId] ?? { state: "unknown" }),
    standing: (attempt) =>
      Effect.suspend(() => {
        world.asked.push(attempt)
        return world.standing
      }),
    namespaceId: Effect.succeed(NAMESPACE_ID)
  })
  return Layer.mergeAll(runner, storage, jobs, temporal)
}

type Needs = Jobs | PodRunner | PodWatch | Scope.Scope | SharedStorage | TemporalClient | WorkerConfig

type Program = (world: World) => Effect.Effect<void, unknown, Needs>

const inWorld = (program: Program) =>
  Effect.gen(function* () {
    const api = scriptedPods()
    const { kubeconfigPath } = yield* scriptedApi(api.answer)
    const root = yield* temporaryFolder
    const world = makeWorld(api, root)
    yield* Effect.provide(Effect.scoped(program(world)), around(world, kubeconfigPath, root))
  }).pipe(Effect.scoped)

/** In real time. */
export const claimTest = (title: string, program: Program) =>
  it.live(title, () => Effect.timeout(inWorld(program), "25 seconds"))

/** With a clock that the test moves. */
export const claimTestWithClock = (title: string, program: Program) =>
  it.effect(title, () => inWorld(program))

const configs = {
  source: `{"s":1}`,
  destination: `{"d":1}`,
  catalog: { form: "whole", streams: "{}" }
} as const

/** A sync that claims its job. */
export const claimed = (world: World, over: Partial<Writer> = {}) =>
  claim({ ...writer, ...over }, (start) =>
    Effect.sync(() => {
      world.started.push(start)
      return {
        ...requestedSync(SYNC_ARGS, configs, start.hasState),
        connector: start.row.sourceType,
        timeout: Duration.hours(700)
      }
    })
  )

/** The same, until it has made a Pod; what the directory holds then. */
export const begun = (world: World, over: Partial<Writer> = {}) =>
  Effect.gen(function* () {
    const before = creates(world.api)
    const claiming = yield* Effect.forkChild(claimed(world, over))
    yield* Effect.raceFirst(
      eventually("a Pod is made", () => (creates(world.api) > before ? true : undefined)),
      Effect.andThen(Fiber.join(claiming), Effect.die("it came to its end first"))
    )
    const directory = over.directory ?? writer.directory
    const made = {
      state: yield* world.text(STATE_FILE, directory),
      files: yield* world.list(directory),
      start: world.started.at(-1)
    }
    yield* Fiber.interrupt(claiming)
    return made
  })

/** The note of the writer's own run, with what the worker had put there itself. */
export const noteOf = (over: Partial<RunNote> = {}): string =>
  encodeRunNote({
    jobId: 7,
    workflowId: run.workflowId,
    runId: run.runId,
    key: keyOf(run, "sync"),
    attempt: 1,
    rowVersion: ROW.version,
    stateHash: hashOf(ROW.state),
    ...over
  })

/** A directory with note and state. */
export const leaveDirectory = (world: World, note: string, state: string, directory = writer.directory) =>
  Effect.andThen(world.put(RUN_FILE, note, directory), world.put(STATE_FILE, state, directory))

export const putMarker = (world: World, over: Partial<ExitMarker> = {}) =>
  world.put(
    EXIT_FILE,
    JSON.stringify({ key: keyOf(run, "sync"), uid: "uid-gone", exitCode: 0, stopped: false, ...over })
  )

/** Waits in real time, whatever clock the test has. */
export const soon = (what: string, check: () => boolean) =>
  Effect.promise(async () => {
    for (let turn = 0; turn < 1_000; turn++) {
      if (check()) return
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`not yet: ${what}`)
  })
