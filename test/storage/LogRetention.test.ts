/** What is removed of old runs, and what never is: on real folders, with times set by hand. */
import { assert, describe, it } from "@effect/vitest"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { systemError } from "effect/PlatformError"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { SharedStorage } from "../../src/storage/SharedStorage.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

const NOW = Date.parse("2026-11-23T17:00:00Z")
const DAY = 86_400_000
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")

/** Files by path, each with its age in days. */
type Tree = Readonly<Record<string, number>>

const noted = (jobId: number) => JSON.stringify({ jobId, workflowId: "w" })

const build = (root: string, tree: Tree, contents: Readonly<Record<string, string>> = {}) => {
  for (const [file, age] of Object.entries(tree)) {
    const target = path.join(root, file)
    fs.mkdirSync(path.dirname(target), { recursive: true })
    fs.writeFileSync(target, contents[file] ?? "{}")
    fs.utimesSync(target, (NOW - age * DAY) / 1000, (NOW - age * DAY) / 1000)
  }
}

/** All but directories; links are not followed. */
const filesIn = (root: string, folder = ""): ReadonlyArray<string> =>
  fs
    .readdirSync(path.join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const file = path.join(folder, entry.name)
      return entry.isDirectory() ? filesIn(root, file) : [file]
    })
    .toSorted()

/** Calls that answer differently from the real folder's. */
type Faults = (real: FileSystem.FileSystem) => Partial<FileSystem.FileSystem>

const inStorage = <A, E>(
  use: (root: string) => Effect.Effect<A, E, SharedStorage>,
  faults: Faults = () => ({})
) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "olake-retention-"))
  const faulty = Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (real) => ({ ...real, ...faults(real) }))
  ).pipe(Layer.provide(NodeFileSystem.layer))
  return Effect.suspend(() => use(root)).pipe(
    Effect.provide(
      SharedStorage.layer.pipe(Layer.provide([faulty, testConfigLayer({ storage: { path: root } })]))
    ),
    Effect.ensuring(Effect.sync(() => fs.rmSync(root, { recursive: true, force: true })))
  )
}

const sweep = (isActive: (directory: string) => boolean = () => false) =>
  Effect.flatMap(SharedStorage, (storage) =>
    storage.sweep({ now: NOW, keepFor: Duration.days(30), isActive })
  )

const swept = (
  prepare: (root: string) => void,
  isActive: (directory: string, root: string) => boolean = () => false,
  faults?: Faults
) =>
  inStorage(
    (root) =>
      Effect.gen(function* () {
        prepare(root)
        const result = yield* sweep((directory) => isActive(directory, root))
        return { result, left: filesIn(root), folders: fs.readdirSync(root).toSorted() }
      }),
    faults
  )

const age = (target: string, days: number) => {
  const seconds = (NOW - days * DAY) / 1000
  fs.lutimesSync(target, seconds, seconds)
}

const refuse = (target: string, _tag: "PermissionDenied" | "NotFound") =>
  Effect.fail(systemError({ _tag, module: "FileSystem", method: "test", pathOrDescriptor: target }))

const [a, b, c] = [sha256("sync-123-7-a"), sha256("sync-123-7-b"), sha256("sync-123-8-c")]
const RUN = ".olake-run.json"

describe("old runs", () => {
  it.effect("of direct requests go whole; by the age of their newest file", () =>
    Effect.gen(function* () {
      const { result, folders } = yield* swept((root) =>
        build(root, {
          "discover-catalog-postgres-1700000000/config.json": 40,
          "discover-catalog-postgres-1700000000/logs/sync_x/olake.log": 31,
          "test-connection-source-postgres-1700000000-0/output.json": 40,
          "test-connection-source-postgres-1700000000-0/logs/worker.log": 29,
          "test-connection-postgres-1700000000/output.json": 31,
          "fetch-spec-postgres-1700000000/output.json": 31,
          "difference-123-8-1700000000/new_streams.json": 31,
          "convert-streams-postgres-8-1700000000000000000/selected_streams.json": 31,
          "sync-123-8-1700000000/streams.json": 31
        })
      )
      assert.deepStrictEqual(folders, ["test-connection-source-postgres-1700000000-0"])
      assert.lengthOf(result.removed, 6)
    })
  )

  it.effect("of a job: the latest keeps what the next goes on from, the others go", () =>
    Effect.gen(function* () {
      const contents = { [`${a}/${RUN}`]: noted(7), [`${b}/${RUN}`]: noted(7), [`${c}/${RUN}`]: noted(8) }
      const { result, left } = yield* swept((root) =>
        build(
          root,
          {
            [`${a}/${RUN}`]: 50,
            [`${a}/state.json`]: 50,
            [`${a}/logs/sync_x/olake.log`]: 50,
            [`${b}/${RUN}`]: 40,
            [`${b}/state.json`]: 40,
            [`${b}/streams.json`]: 40,
            [`${b}/available_streams.json`]: 40,
            [`${b}/selected_streams.json`]: 40,
            [`${b}/stats.json`]: 40,
            [`${b}/logs/sync_x/olake.log`]: 40,
            [`${c}/${RUN}`]: 3,
            [`${c}/logs/sync_x/olake.log`]: 3
          },
          contents
        )
      )
      assert.deepStrictEqual(result.removed, [a])
      assert.deepStrictEqual(result.trimmed, [b])
      assert.sameMembers(
        [...left],
        [
          `${b}/${RUN}`,
          `${b}/state.json`,
          `${b}/streams.json`,
          `${b}/available_streams.json`,
          `${b}/selected_streams.json`,
          `${c}/${RUN}`,
          `${c}/logs/sync_x/olake.log`
        ]
      )
    })
  )

  it.effect("of a job that is not known, such as the Go worker's, keep as much, and are said once", () =>
    Effect.gen(function* () {
      const tree = { [`${a}/state.json`]: 50, [`${a}/source.json`]: 50, [`${b}/logs/sync_x/olake.log`]: 50 }
      const { result, left } = yield* swept((root) => build(root, tree))
      assert.deepStrictEqual([...left], [`${a}/state.json`])
      assert.deepStrictEqual([result.removed, result.trimmed], [[b], [a]])
      const again = yield* swept((root) => build(root, { [`${a}/state.json`]: 50 }))
      assert.deepStrictEqual([again.result.removed, again.result.trimmed], [[], []])
    })
  )

  it.effect("are left alone while a Pod works in them, and links, files and strangers always", () =>
    Effect.gen(function* () {
      const outside = fs.mkdtempSync(path.join(os.tmpdir(), "olake-outside-"))
      fs.writeFileSync(path.join(outside, "precious"), "")
      const { result, left } = yield* swept(
        (root) => {
          build(root, {
            [`${a}/state.json`]: 50,
            [`${a}/stats.json`]: 50,
            "telemetry/user_id": 500,
            "lost+found/x": 500,
            "backup-of-2024/x": 500,
            [`${b}.tar`]: 500,
            [`${c}/source.json`]: 50
          })
          fs.symlinkSync(outside, path.join(root, b))
          fs.symlinkSync(outside, path.join(root, c, "logs"))
        },
        (directory) => directory === a
      )
      assert.deepStrictEqual(result.removed, [c])
      assert.deepStrictEqual(result.failed, [])
      assert.isTrue(fs.existsSync(path.join(outside, "precious")))
      assert.includeMembers(
        [...left],
        [`${a}/stats.json`, "telemetry/user_id", "lost+found/x", "backup-of-2024/x"]
      )
      fs.rmSync(outside, { recursive: true })
    })
  )

  it.effect("a note that is none counts as an unknown job's", () =>
    Effect.gen(function* () {
      const { result } = yield* swept((root) =>
        build(
          root,
          { [`${a}/${RUN}`]: 50, [`${a}/state.json`]: 50, [`${a}/stats.json`]: 50 },
          { [`${a}/${RUN}`]: "{" }
        )
      )
      assert.deepStrictEqual(result.trimmed, [a])
    })
  )

  it.effect("that are trimmed are not touched again", () =>
    inStorage((root) =>
      Effect.gen(function* () {
        build(root, { [`${a}/state.json`]: 50, [`${a}/streams.json`]: 40, [`${a}/stats.json`]: 40 })
        assert.deepStrictEqual(yield* sweep(), { removed: [], trimmed: [a], failed: [] })
        const times = () => [a, `${a}/state.json`].map((file) => fs.statSync(path.join(root, file)).ctimeMs)
        const before = times()
        assert.deepStrictEqual(yield* sweep(), { removed: [], trimmed: [], failed: [] })
        assert.deepStrictEqual(times(), before)
      })
    )
  )

  it.effect("that hold no file are as old as their directory, be there links or not", () =>
    Effect.gen(function* () {
      const [old, young, oldLinks, youngLinks] = [1, 2, 3, 4].map((n) => `fetch-spec-x-${n}`)
      const { folders } = yield* swept((root) => {
        for (const [name = "", days, isLinked] of [
          [old, 31, false],
          [young, 29, false],
          [oldLinks, 31, true],
          [youngLinks, 29, true]
        ] as const) {
          const folder = path.join(root, name)
          fs.mkdirSync(folder)
          if (isLinked) fs.symlinkSync("/", path.join(folder, "root"))
          age(folder, days)
        }
      })
      assert.deepStrictEqual(folders, [young, youngLinks])
    })
  )

  it.effect("are kept for the whole retention, to the millisecond", () =>
    Effect.gen(function* () {
      const { folders } = yield* swept((root) =>
        build(root, { "fetch-spec-x-1/a": 30, "fetch-spec-x-2/a": 30 + 1 / DAY })
      )
      assert.deepStrictEqual(folders, ["fetch-spec-x-1"])
    })
  )

  it.effect("of before 1970 are a job's latest too, and none without a time is old", () =>
    Effect.gen(function* () {
      const tree = { [`${a}/${RUN}`]: 50, [`${a}/state.json`]: 50, "fetch-spec-x-1/timeless": 50 }
      const { left } = yield* swept(
        (root) => build(root, tree, { [`${a}/${RUN}`]: noted(7) }),
        undefined,
        (real) => ({
          lstat: (target) =>
            Effect.map(real.lstat(target), (info) => ({
              ...info,
              // `utimes` sets no time before 1970, a volume may have one.
              mtime: target.endsWith("timeless") ? Option.none() : Option.some(new Date(-DAY))
            }))
        })
      )
      assert.sameMembers([...left], Object.keys(tree))
    })
  )

  it.effect("that somebody comes back to during the sweep stay", () =>
    Effect.gen(function* () {
      const name = "discover-catalog-x-1"
      const { result, left } = yield* swept(
        (root) => build(root, { [`${name}/config.json`]: 50, [`${a}/state.json`]: 50, [`${a}/log`]: 50 }),
        (directory, root) => {
          build(root, { [`${directory}/${directory === a ? "log" : "config.json"}`]: 0 })
          return false
        }
      )
      assert.deepStrictEqual(result, { removed: [], trimmed: [], failed: [] })
      assert.deepStrictEqual([...left], [`${a}/log`, `${a}/state.json`, `${name}/config.json`].toSorted())
    })
  )

  it.effect("that become a link during the sweep lead nowhere", () =>
    Effect.gen(function* () {
      const { result, left } = yield* swept(
        (root) => build(root, { [`${a}/state.json`]: 50, "theirs/state.json": 50, "theirs/precious": 50 }),
        (directory, root) => {
          fs.rmSync(path.join(root, directory), { recursive: true })
          fs.symlinkSync(path.join(root, "theirs"), path.join(root, directory))
          return false
        }
      )
      assert.deepStrictEqual(result, { removed: [], trimmed: [], failed: [] })
      assert.deepStrictEqual([...left], [a, "theirs/precious", "theirs/state.json"].toSorted())
    })
  )

  it.effect("that cannot be read or removed are said, and the others go", () =>
    Effect.gen(function* () {
      const [unreadable, stuck, fine] = ["fetch-spec-x-1", "fetch-spec-x-2", "fetch-spec-x-3"] as const
      const { result, folders } = yield* swept(
        (root) => build(root, { [`${unreadable}/a`]: 50, [`${stuck}/a`]: 50, [`${fine}/a`]: 50 }),
        undefined,
        (real) => ({
          readDirectory: (target) =>
            target.endsWith(unreadable) ? refuse(target, "PermissionDenied") : real.readDirectory(target),
          remove: (target, options) =>
            target.endsWith(stuck) ? refuse(target, "PermissionDenied") : real.remove(target, options)
        })
      )
      assert.deepStrictEqual(folders, [unreadable, stuck])
      assert.deepStrictEqual(result.removed, [fine])
      assert.deepStrictEqual(
        result.failed.map(({ directory }) => directory),
        [unreadable, stuck]
      )
      for (const { reason } of result.failed) assert.include(reason, "PermissionDenied")
    })
  )

  it.effect("whose files vanish under the sweep, as rotated logs do, are no failure", () =>
    Effect.gen(function* () {
      const { result } = yield* swept(
        (root) => {
          build(root, { "fetch-spec-x-1/a": 50, "fetch-spec-x-1/gone/a": 50 })
          age(path.join(root, "fetch-spec-x-1/gone"), 50)
        },
        undefined,
        (real) => ({
          readDirectory: (target) =>
            path.basename(target) === "gone"
              ? refuse(target, "NotFound")
              : Effect.map(real.readDirectory(target), (names) => [...names, "fetch-spec-x-2"])
        })
      )
      assert.deepStrictEqual(result, { removed: ["fetch-spec-x-1"], trimmed: [], failed: [] })
    })
  )

  it.effect("whose job's latest cannot be read keep what it may go on from", () =>
    Effect.gen(function* () {
      const { result, left } = yield* swept(
        (root) =>
          build(
            root,
            { [`${a}/${RUN}`]: 50, [`${a}/state.json`]: 50, [`${b}/${RUN}`]: 40, [`${b}/state.json`]: 40 },
            { [`${a}/${RUN}`]: noted(7), [`${b}/${RUN}`]: noted(7) }
          ),
        undefined,
        (real) => ({
          readDirectory: (target) =>
            target.endsWith(b) ? refuse(target, "PermissionDenied") : real.readDirectory(target)
        })
      )
      assert.deepStrictEqual([result.removed, result.failed.length], [[], 1])
      assert.include(left, `${a}/state.json`)
    })
  )

  it.effect("cannot be told where the root cannot be read", () =>
    inStorage((root) =>
      Effect.gen(function* () {
        fs.rmSync(root, { recursive: true })
        const error = yield* Effect.flip(sweep())
        assert.strictEqual(error._tag, "StorageError")
        assert.include(error.message, root)
      })
    )
  )

  const OTHERS = ["telemetry", "other", "sync-x", a.toUpperCase(), a.slice(1), `${a}0`, `x-${a}`, `${a}.bak`]
  const RUNS = [a, b, c, "discover-catalog-x-1", "sync-1-2-3", "difference-1-2-3"]
  const NEEDED = ["state.json", "streams.json"]
  const Entries = Schema.Array(
    Schema.Tuple([
      Schema.Literals([...RUNS, ...RUNS, ...OTHERS]),
      Schema.Literals([...NEEDED, RUN, "logs/sync_x/olake.log", "stats.json", "link"]),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60 })),
      Schema.Literals([7, 8])
    ])
  )
  it.effect.prop(
    "nothing young, active or strange is ever touched, nor what a job's latest run needs",
    [Entries, Schema.Literals([...RUNS, ""])],
    ([entries, active]) =>
      Effect.gen(function* () {
        const isLink = (file: string) => path.basename(file) === "link"
        const all = Object.fromEntries(
          entries.map(([name, file, days]) => [`${name}/${file}`, days] as const)
        )
        const tree = Object.fromEntries(Object.entries(all).filter(([file]) => !isLink(file)))
        const jobs = new Map(entries.map(([name, , , job]) => [name, job]))
        const contents = Object.fromEntries(
          [...jobs].map(([name, job]) => [`${name}/${RUN}`, noted(job)] as const)
        )
        const { result, left } = yield* swept(
          (root) => {
            build(root, tree, contents)
            for (const [file, days] of Object.entries(all).filter(([name]) => isLink(name))) {
              const target = path.join(root, file)
              fs.mkdirSync(path.dirname(target), { recursive: true })
              // To a neighbour, so that following one would show.
              fs.symlinkSync("../other", target)
              age(target, days)
              age(path.dirname(target), days)
            }
          },
          (directory) => directory === active
        )
        const youngest = (name: string) => {
          const ages = (files: Tree) =>
            Object.entries(files).flatMap(([file, days]) => (file.startsWith(`${name}/`) ? [days] : []))
          const counted = ages(tree)
          return Math.min(...(counted.length > 0 ? counted : ages(all)))
        }
        const jobOf = (name: string) => (`${name}/${RUN}` in tree ? jobs.get(name) : undefined)
        const isLatest = (name: string) =>
          [...jobs.keys()].every(
            (rival) =>
              !/^[0-9a-f]{64}$/.test(rival) ||
              jobOf(rival) !== jobOf(name) ||
              youngest(rival) > youngest(name) ||
              rival === name
          )
        for (const file of Object.keys(all)) {
          const name = path.dirname(file).split("/")[0] ?? ""
          const isKept = name === active || OTHERS.includes(name) || youngest(name) <= 30
          const isWriter = /^[0-9a-f]{64}$/.test(name)
          const isNeeded = isWriter && NEEDED.includes(path.basename(file))
          if (isKept || (isNeeded && (jobOf(name) === undefined || isLatest(name)))) {
            assert.include(left, file)
          } else if (!isWriter || !(isNeeded || path.basename(file) === RUN)) {
            assert.notInclude(left, file)
          }
        }
        assert.deepStrictEqual(result.failed, [])
      })
  )
})
