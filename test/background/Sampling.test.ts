import { assert, describe, it } from "@effect/vitest"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Sampling from "../../src/background/Sampling.ts"
import { LARGEST_STATS } from "../../src/olake/ConnectorStats.ts"
import { RunRegistry } from "../../src/status/RunRegistry.ts"
import { SharedStorage } from "../../src/storage/SharedStorage.ts"
import { StorageError } from "../../src/storage/StorageError.ts"
import { temporaryFolder } from "../support/Conditions.ts"
import { sighting, step } from "../status/support.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

/** A storage on disk, and a run on it whose connector began a minute ago. */
const running = Effect.gen(function* () {
  const root = yield* temporaryFolder
  const context = yield* Layer.build(
    Layer.mergeAll(RunRegistry.layer, SharedStorage.layer).pipe(
      Layer.provideMerge(
        testConfigLayer({ storage: { path: root }, database: { password: Redacted.make("marker-password") } })
      ),
      Layer.provide(NodeFileSystem.layer)
    )
  )
  const folder = path.join(root, "directory-1")
  const began = Date.now() - 60_000
  const stamp = new Date(began).toISOString().slice(0, 19).replace("T", "_").replaceAll(":", "-")
  const logs = path.join(folder, "logs", `sync_${stamp}`)
  fs.mkdirSync(logs, { recursive: true })
  return yield* Effect.gen(function* () {
    const registry = yield* RunRegistry
    const entry = yield* registry.begin(step(), "preparing")
    yield* entry.sighted(sighting({ startedAt: began }))
    const stats = path.join(folder, "stats.json")
    const sampled = Effect.gen(function* () {
      yield* Sampling.round
      return yield* entry.current
    })
    return { root, folder, stats, log: path.join(logs, "olake.log"), entry, registry, sampled }
  }).pipe(
    Effect.map((world) => ({ ...world, sampled: Effect.provideContext(world.sampled, context) })),
    Effect.provideContext(context)
  )
})

const good = `{"Synced Records":5,"Speed":"1.00 rps"}`

describe("a round", () => {
  it.live(
    "keeps the last good numbers while the file is half written, away, too large, or something else",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { root, folder, stats, sampled } = yield* running
          assert.isUndefined((yield* sampled).progress)
          fs.writeFileSync(stats, good)
          assert.strictEqual((yield* sampled).progress?.rows, 5)
          fs.writeFileSync(path.join(root, "other.json"), `{"Synced Records":99}`)
          const spoilers: ReadonlyArray<() => void> = [
            () => fs.writeFileSync(stats, good.slice(0, 20)),
            () => fs.writeFileSync(stats, ""),
            () => fs.writeFileSync(stats, `{"Synced Records":99,"x":"${"x".repeat(LARGEST_STATS)}"}`),
            () => fs.mkdirSync(stats),
            () => fs.symlinkSync(path.join(root, "other.json"), stats),
            () => fs.rmSync(folder, { recursive: true })
          ]
          for (const spoil of spoilers) {
            fs.rmSync(stats, { recursive: true, force: true })
            spoil()
            assert.strictEqual((yield* sampled).progress?.rows, 5)
          }
        })
      )
  )

  it.live(
    "reads the log for somebody who looks, without what is secret, and the last of it after the end",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { log, registry, entry, sampled } = yield* running
          const line = (message: unknown, level = "info") =>
            `${JSON.stringify({ level, message, time: "2026-11-24T04:00:00Z" })}\n`
          // The secret stands where the line is cut.
          fs.writeFileSync(
            log,
            line("first") + line("hidden", "debug") + line(`${"x".repeat(293)}marker-password`)
          )
          assert.deepStrictEqual((yield* sampled).lastLines, [])
          yield* registry.document
          const seen = yield* sampled
          assert.deepStrictEqual(
            seen.lastLines.map(({ message }) => message.slice(0, 5)),
            ["first", "xxxxx"]
          )
          assert.notInclude(JSON.stringify(seen), "marker")
          fs.appendFileSync(
            log,
            Array.from({ length: 50 }, (_, n) => line(`line ${n}`)).join("") + `{"level":"in`
          )
          yield* entry.ended({ state: "succeeded" }, false)
          const over = yield* sampled
          assert.lengthOf(over.lastLines, 10)
          assert.strictEqual(over.lastLines.at(-1)?.message, "line 49")
          fs.writeFileSync(log, line("afterwards"))
          assert.deepStrictEqual((yield* sampled).lastLines, over.lastLines)
        })
      )
  )
})

describe("the reading", () => {
  it.effect("of a storage that hangs is left until it answers: a call that hangs holds a thread", () => {
    let reads = 0
    let answers = false
    const hanging = Layer.mock(SharedStorage, {
      glance: () =>
        Effect.suspend(() => {
          reads += 1
          return new StorageError({ operation: "read", path: "/x", reason: "TimedOut", detail: "" })
        }),
      isWritable: Effect.sync(() => answers)
    })
    return Effect.gen(function* () {
      const registry = yield* RunRegistry
      const entry = yield* registry.begin(step(), "preparing")
      yield* entry.sighted(sighting())
      yield* Effect.forkChild(Sampling.run)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(reads, 1)
      answers = true
      yield* TestClock.adjust("2 minutes")
      assert.isAbove(reads, 1)
    }).pipe(
      Effect.provide(Layer.mergeAll(RunRegistry.layer, hanging).pipe(Layer.provideMerge(testConfigLayer())))
    )
  })

  it.effect(
    "of one run that cannot be read costs the others nothing; the log is left alone while nobody looks",
    () => {
      const read: Array<string> = []
      const storage = Layer.mock(SharedStorage, {
        glance: (directory) =>
          Effect.suspend(() => {
            read.push(directory)
            return new StorageError({ operation: "read", path: "/x", reason: "EIO", detail: "" })
          }),
        connectorLog: (directory) =>
          Effect.sync(() => {
            read.push(`log of ${directory}`)
            return Option.none()
          })
      })
      return Effect.gen(function* () {
        const registry = yield* RunRegistry
        for (const name of ["a", "b"]) {
          const entry = yield* registry.begin(step({ workflowId: name, directory: name }), "preparing")
          yield* entry.sighted(sighting())
        }
        yield* Effect.forkChild(Sampling.run)
        yield* TestClock.adjust("25 seconds")
        assert.deepStrictEqual(read, ["a", "b", "a", "b", "a", "b"])
      }).pipe(
        Effect.provide(Layer.mergeAll(RunRegistry.layer, storage).pipe(Layer.provideMerge(testConfigLayer())))
      )
    }
  )
})
