import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { SharedStorage } from "../../src/storage/SharedStorage.ts"
import { eventually } from "../support/Conditions.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

const withStorage = <A, E>(use: (root: string) => Effect.Effect<A, E, SharedStorage>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(tmpdir(), "storage-"))),
    (root) =>
      use(root).pipe(
        Effect.provide(
          SharedStorage.layer.pipe(
            Layer.provide(testConfigLayer({ storage: { path: root } })),
            Layer.provide(NodeFileSystem.layer)
          )
        )
      ),
    (root) => Effect.sync(() => fs.rmSync(root, { recursive: true, force: true }))
  )

const write = (directory: string, name: string, content: string) =>
  Effect.flatMap(SharedStorage, (storage) => storage.prepare(directory, [{ name, content }]))
const read = (directory: string, name: string) =>
  Effect.flatMap(SharedStorage, (storage) => storage.readJson(directory, name))

describe("SharedStorage", () => {
  it.live("writes what OLake's UI and the connectors can read, and leaves nothing half written", () =>
    withStorage((root) =>
      Effect.gen(function* () {
        yield* write("run", "config.json", "{}")
        yield* write("run", "config.json", `{"a":1}`)
        assert.strictEqual(fs.readFileSync(path.join(root, "run/config.json"), "utf8"), `{"a":1}`)
        assert.strictEqual(fs.statSync(path.join(root, "run/config.json")).mode & 0o777, 0o644)
        assert.strictEqual(fs.statSync(path.join(root, "run")).mode & 0o777, 0o755)
        assert.deepStrictEqual(fs.readdirSync(path.join(root, "run")), ["config.json"])
      })
    )
  )

  it.live("replaces a file only while it holds what was read of it", () =>
    withStorage((root) =>
      Effect.gen(function* () {
        const storage = yield* SharedStorage
        const file = path.join(root, "run/state.json")
        yield* storage.makeDirectory("run")
        assert.isTrue(yield* storage.replace("run", "state.json", "1", undefined))
        // Somebody else was faster.
        assert.isFalse(yield* storage.replace("run", "state.json", "2", undefined))
        assert.isTrue(yield* storage.replace("run", "state.json", "2", "1"))
        assert.isFalse(yield* storage.replace("run", "state.json", "3", "1"))
        assert.strictEqual(fs.readFileSync(file, "utf8"), "2")
        assert.deepStrictEqual(fs.readdirSync(path.join(root, "run")), ["state.json"])
      })
    )
  )

  it.live("of many that create one file at once exactly one has created it, and no draft stays", () =>
    withStorage((root) =>
      Effect.gen(function* () {
        const storage = yield* SharedStorage
        yield* storage.makeDirectory("run")
        const tries = Array.from({ length: 8 }, (_, index) =>
          storage.replace("run", "note.json", `${index}`, undefined)
        )
        const created = yield* Effect.all(tries, { concurrency: "unbounded" })
        assert.lengthOf(
          created.filter((one) => one),
          1
        )
        assert.strictEqual(
          fs.readFileSync(path.join(root, "run/note.json"), "utf8"),
          String(created.indexOf(true))
        )
        assert.deepStrictEqual(fs.readdirSync(path.join(root, "run")), ["note.json"])
      })
    )
  )

  it.live("removes whatever has the name, and follows no link", () =>
    withStorage((root) =>
      Effect.gen(function* () {
        const storage = yield* SharedStorage
        yield* write("run", "streams.json", "{}")
        yield* write("other", "state.json", "{}")
        fs.mkdirSync(path.join(root, "run/source.json/deep"), { recursive: true })
        fs.symlinkSync(path.join(root, "other"), path.join(root, "run/destination.json"))
        yield* storage.remove("run", ["source.json", "destination.json", "nothing.json"])
        assert.deepStrictEqual(yield* storage.list("run"), ["streams.json"])
        assert.deepStrictEqual(yield* storage.list("nowhere"), [])
        assert.deepStrictEqual(fs.readdirSync(path.join(root, "other")), ["state.json"])
      })
    )
  )

  it.live("does not open a pipe", () =>
    withStorage((root) =>
      Effect.gen(function* () {
        const storage = yield* SharedStorage
        yield* write("run", "config.json", "{}")
        execFileSync("mkfifo", [path.join(root, "run/state.json")])
        for (let call = 0; call < 5; call++) {
          const error = yield* Effect.flip(storage.read("run", "state.json"))
          assert.include(error.message, "run/state.json is no plain file")
        }
      })
    )
  )

  it.live("a missing file is none; the text stays as it is, to the last digit", () =>
    withStorage(() =>
      Effect.gen(function* () {
        assert.isTrue(Option.isNone(yield* read("run", "state.json")))
        const text = `{ "b": 9007199254740993, "a": 1 }\n`
        yield* write("run", "state.json", text)
        const found = yield* read("run", "state.json")
        assert.strictEqual(Option.getOrUndefined(found)?.text, text)
      })
    )
  )

  for (const [content, why] of [
    ["", "empty"],
    [`{"a":`, "not valid JSON"],
    ["[]", "not an object"],
    ["null", "not an object"]
  ] as const) {
    it.live(`names the file that is ${why}: ${JSON.stringify(content)}`, () =>
      withStorage((root) =>
        Effect.gen(function* () {
          yield* write("run", "state.json", content)
          const error = yield* Effect.flip(read("run", "state.json"))
          assert.strictEqual(error._tag, "InvalidFile")
          assert.include(error.message, path.join(root, "run/state.json"))
          assert.include(error.message, why)
        })
      )
    )
  }

  it.live("does not follow a link out of the run's directory", () =>
    withStorage((root) =>
      Effect.gen(function* () {
        yield* write("other", "secret.json", `{"theirs":true}`)
        yield* write("run", "config.json", "{}")
        fs.symlinkSync(path.join(root, "other/secret.json"), path.join(root, "run/state.json"))
        assert.include((yield* Effect.flip(read("run", "state.json"))).message, "link")
        // A write replaces the link, not what it points to.
        yield* write("run", "state.json", `{"ours":true}`)
        assert.strictEqual(fs.readFileSync(path.join(root, "other/secret.json"), "utf8"), `{"theirs":true}`)
      })
    )
  )

  it.live("a path out of the storage is a bug, whatever a caller let through", () =>
    withStorage((root) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(write("../escape", "x", "y"))
        assert.strictEqual(exit._tag, "Failure")
        assert.isFalse(fs.existsSync(path.resolve(root, "../escape")))
      })
    )
  )

  it.live("says which volume is missing instead of making one on the local disk", () =>
    withStorage((root) =>
      Effect.gen(function* () {
        fs.rmSync(root, { recursive: true })
        const error = yield* Effect.flip(write("run", "config.json", "{}"))
        assert.include(error.message, "SHARED_STORAGE_PATH")
        assert.isFalse(yield* Effect.flatMap(SharedStorage, ({ isWritable }) => isWritable))
        assert.isFalse(fs.existsSync(root))
      })
    )
  )

  it.live("is writable where it is, and leaves no trace of having tried", () =>
    withStorage((root) =>
      Effect.gen(function* () {
        assert.isTrue(yield* Effect.flatMap(SharedStorage, ({ isWritable }) => isWritable))
        assert.deepStrictEqual(fs.readdirSync(root), [])
      })
    )
  )

  it.live("finds the newest log of the connector, and none of an earlier attempt", () =>
    withStorage((root) =>
      Effect.gen(function* () {
        const storage = yield* SharedStorage
        assert.isTrue(Option.isNone(yield* storage.connectorLog("run")))
        for (const second of ["01", "05"]) {
          const folder = path.join(root, `run/logs/sync_2026-11-23_17-00-${second}`)
          fs.mkdirSync(folder, { recursive: true })
          fs.writeFileSync(path.join(folder, "olake.log"), `second ${second}\n`)
        }
        assert.deepStrictEqual(yield* storage.connectorLog("run"), Option.some("second 05\n"))
        const since = Date.parse("2026-11-23T17:00:30Z")
        assert.isTrue(Option.isNone(yield* storage.connectorLog("run", since)))
      })
    )
  )
})

describe("a volume that hangs while a file is written", () => {
  /** @param over calls that say that they were made, and never answer */
  const hanging = (
    root: string,
    over: (hang: () => Effect.Effect<never>) => object,
    isHung: { yes: boolean }
  ) =>
    SharedStorage.layer.pipe(
      Layer.provide(
        Layer.effect(
          FileSystem.FileSystem,
          Effect.map(FileSystem.FileSystem, (own) => ({
            ...own,
            ...over(() =>
              Effect.andThen(
                Effect.sync(() => void (isHung.yes = true)),
                Effect.never
              )
            )
          }))
        ).pipe(Layer.provide(NodeFileSystem.layer))
      ),
      Layer.provide(testConfigLayer({ storage: { path: root } }))
    )

  const calls: ReadonlyArray<readonly [string, (hang: () => Effect.Effect<never>) => object, boolean]> = [
    ["a write", (hang) => ({ writeFileString: hang, remove: hang }), false],
    ["the removal of a draft", (hang) => ({ rename: hang, remove: hang }), false],
    ["a replacement", (hang) => ({ rename: hang }), true]
  ]
  for (const [what, over, replaces] of calls) {
    it.effect(`${what} is given up after its time`, () =>
      Effect.acquireUseRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(tmpdir(), "storage-"))),
        (root) =>
          Effect.gen(function* () {
            const isHung = { yes: false }
            fs.mkdirSync(path.join(root, "run"))
            fs.writeFileSync(path.join(root, "run/state.json"), "old")
            const writing = Effect.flatMap(SharedStorage, (storage) =>
              replaces
                ? Effect.asVoid(storage.replace("run", "state.json", "new", "old"))
                : storage.write("run", "state.json", "new")
            )
            const fiber = yield* Effect.forkChild(
              Effect.flip(writing).pipe(Effect.provide(hanging(root, over, isHung)))
            )
            yield* TestClock.withLive(eventually("it hangs", () => (isHung.yes ? true : undefined)))
            yield* TestClock.adjust("31 seconds")
            assert.strictEqual((yield* Fiber.join(fiber)).reason, "TimedOut")
            assert.strictEqual(fs.readFileSync(path.join(root, "run/state.json"), "utf8"), "old")
          }),
        (root) => Effect.sync(() => fs.rmSync(root, { recursive: true, force: true }))
      )
    )
  }
})
