/** File calls that really hang: pipes, which nobody writes to, hold a thread each as a dead mount does. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import { execFileSync } from "node:child_process"
import { lookup } from "node:dns/promises"
import * as fs from "node:fs"
import * as path from "node:path"
import { inTurns } from "../../src/storage/Turns.ts"
import { temporaryFolder } from "../support/Conditions.ts"

/** More than Node has threads. */
const MANY = 8

describe("file calls that hang", () => {
  it.live("stop nobody else; those that are given up before their turn are never made", () =>
    Effect.gen(function* () {
      const files = yield* inTurns(yield* FileSystem.FileSystem)
      const folder = yield* temporaryFolder
      const pipe = path.join(folder, "pipe")
      const plain = path.join(folder, "plain")
      execFileSync("mkfifo", [pipe])
      const reads = yield* Effect.forEach(Array.from({ length: MANY }), () =>
        Effect.forkChild(files.readFileString(pipe).pipe(Effect.timeoutOption("300 millis")))
      )
      const write = yield* Effect.forkChild(
        files.writeFileString(plain, "late").pipe(Effect.timeoutOption("300 millis"))
      )
      for (const read of reads) assert.strictEqual((yield* Fiber.join(read))._tag, "None")
      assert.strictEqual((yield* Fiber.join(write))._tag, "None")

      // Another user of the same threads, while what was begun hangs on.
      const found = yield* Effect.exit(
        Effect.timeout(
          Effect.promise(() => lookup("localhost")),
          "5 seconds"
        )
      )

      // The volume answers again: those end, and their turns are free.
      fs.closeSync(fs.openSync(pipe, fs.constants.O_RDWR | fs.constants.O_NONBLOCK))
      yield* files.writeFileString(plain, "now")
      assert.strictEqual(fs.readFileSync(plain, "utf8"), "now")
      assert.strictEqual(found._tag, "Success")
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )
})
