import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { SharedStorage } from "../../src/storage/SharedStorage.ts"
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

const write = (directory: string, name: string, content: string, keepExisting = false) =>
  Effect.flatMap(SharedStorage, (storage) => storage.prepare(directory, [{ name, content, keepExisting }]))
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

  it.live("never replaces a state that the connector wrote, but does replace a broken one", () =>
    withStorage((root) =>
      Effect.gen(function* () {
        const storage = yield* SharedStorage
        const state = () => fs.readFileSync(path.join(root, "run/state.json"), "utf8")
        yield* write("run", "state.json", `{"n":0}`, true)
        // Its own file, that no connector has touched, may be brought up to date.
        yield* write("run", "state.json", `{"n":1}`, true)
        assert.strictEqual(state(), `{"n":1}`)
        assert.isFalse(yield* storage.isConnectors("run", "state.json"))
        fs.writeFileSync(path.join(root, "run/state.json"), `{"n":"connector"}`)
        assert.isTrue(yield* storage.isConnectors("run", "state.json"))
        yield* write("run", "state.json", `{"n":2}`, true)
        assert.strictEqual(state(), `{"n":"connector"}`)
        fs.writeFileSync(path.join(root, "run/state.json"), `{"n":`)
        yield* write("run", "state.json", `{"n":3}`, true)
        assert.strictEqual(fs.readFileSync(path.join(root, "run/state.json"), "utf8"), `{"n":3}`)
      })
    )
  )

  it.live("does not open a pipe", () =>
    withStorage((root) =>
      Effect.gen(function* () {
        const storage = yield* SharedStorage
        yield* write("run", "config.json", "{}")
        execFileSync("mkfifo", [
          path.join(root, "run/state.json"),
          path.join(root, "run/.config.json.written")
        ])
        for (let call = 0; call < 5; call++) {
          const error = yield* Effect.flip(storage.read("run", "state.json"))
          assert.include(error.message, "run/state.json is no plain file")
          assert.isTrue(yield* storage.isConnectors("run", "config.json"))
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
