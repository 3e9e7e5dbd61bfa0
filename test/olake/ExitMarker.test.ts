/** The shell around a connector, run by the shells that images have. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { hasFinished, markingCommand, parseExitMarker, POD_UID_VARIABLE } from "../../src/olake/ExitMarker.ts"
import { EXIT_FILE, MOUNT_PATH } from "../../src/olake/Workdir.ts"
import { eventually, temporaryFolder } from "../support/Conditions.ts"

const has = (program: string): boolean => {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`])
    return true
  } catch {
    return false
  }
}

const shells: ReadonlyArray<readonly [string, ...ReadonlyArray<string>]> = [
  ["/bin/sh"],
  ...["dash", "bash", "ksh"].filter(has).map((shell): readonly [string] => [shell]),
  ...(has("busybox") ? ([["busybox", "sh"]] as const) : [])
]

interface Options {
  /** What the connector's program does; none where there is no such program. */
  readonly connector?: string
  readonly args?: ReadonlyArray<string>
  /** Changes to the shell's own script. */
  readonly edit?: (script: string) => string
  /** Sent when the connector has said that it runs. */
  readonly signals?: ReadonlyArray<NodeJS.Signals>
  readonly hasVolume?: boolean
}

const run = (shell: readonly [string, ...ReadonlyArray<string>], options: Options) =>
  Effect.gen(function* () {
    const { connector, args = [], edit = (script) => script, signals = [], hasVolume = true } = options
    const folder = yield* temporaryFolder
    const volume = path.join(folder, "volume")
    if (hasVolume) fs.mkdirSync(volume)
    if (connector !== undefined)
      fs.writeFileSync(path.join(folder, "olake"), `#!/bin/sh\n${connector}\n`, { mode: 0o755 })
    const [, flag = "", script = "", key = ""] = markingCommand("the-key")
    const [program, ...before] = shell
    const child = spawn(
      program,
      [...before, flag, edit(script).replaceAll(MOUNT_PATH, volume), key, ...args],
      // Not a pipe: bash would take itself for a remote shell.
      {
        stdio: ["ignore", "pipe", "pipe"],
        cwd: folder,
        env: { PATH: process.env["PATH"], [POD_UID_VARIABLE]: "uid-1" }
      }
    )
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()))
    const exited = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)))
    for (const signal of signals) {
      yield* eventually("the connector runs", () => (output.includes("runs") ? true : undefined))
      child.kill(signal)
    }
    const code = yield* Effect.promise(() => exited)
    const file = path.join(volume, EXIT_FILE)
    const marker = fs.existsSync(file) ? parseExitMarker(fs.readFileSync(file, "utf8")) : undefined
    return { code, output, marker }
  })

const noted = (exitCode: number, stopped: boolean) => ({ key: "the-key", uid: "uid-1", exitCode, stopped })

const STOPPABLE = "trap 'sleep 0.2; exit 0' TERM; echo runs; while :; do sleep 0.05; done"

for (const shell of shells) {
  describe(`a connector in ${shell.join(" ")}`, () => {
    for (const code of [0, 3]) {
      it.live(`that ends by itself with ${code}`, () =>
        Effect.gen(function* () {
          const ran = yield* run(shell, { connector: `exit ${code}` })
          assert.deepStrictEqual([ran.code, ran.marker], [code, noted(code, false)])
        })
      )
    }

    it.live("gets its arguments as they are", () =>
      Effect.gen(function* () {
        const args = ["--a", "two words", "it's", "$HOME", "*", ""]
        const ran = yield* run(shell, { connector: `printf '<%s>' "$@"`, args })
        assert.strictEqual(ran.output, args.map((arg) => `<${arg}>`).join(""))
      })
    )

    it.live("that is killed", () =>
      Effect.gen(function* () {
        const ran = yield* run(shell, { connector: "kill -KILL $$" })
        assert.deepStrictEqual([ran.code, ran.marker], [137, noted(137, false)])
      })
    )

    it.live("that is told to stop, has time for it, and ends with 0", () =>
      Effect.gen(function* () {
        const ran = yield* run(shell, { connector: STOPPABLE, signals: ["SIGTERM"] })
        assert.deepStrictEqual([ran.code, ran.marker], [0, noted(0, true)])
      })
    )

    it.live("that is told twice, and ends with a code of its own", () =>
      Effect.gen(function* () {
        const connector = STOPPABLE.replace("exit 0", "exit 7")
        const ran = yield* run(shell, { connector, signals: ["SIGTERM", "SIGTERM"] })
        assert.deepStrictEqual([ran.code, ran.marker], [7, noted(7, true)])
      })
    )

    it.live("that is told to stop before it begins does not", () =>
      Effect.gen(function* () {
        const edit = (script: string) =>
          script.replace("trap stop TERM INT\n", (trap) => `${trap}kill -TERM $$\n`)
        const ran = yield* run(shell, { connector: "echo runs; exec sleep 60", edit })
        assert.deepStrictEqual([ran.code, ran.output, ran.marker], [143, "", undefined])
      })
    )

    it.live("that is not where it should be", () =>
      Effect.gen(function* () {
        const ran = yield* run(shell, {})
        assert.deepStrictEqual([ran.code, ran.marker], [127, undefined])
        assert.include(ran.output, "there is no ./olake in /")
      })
    )

    it.live("keeps its exit code where nothing can be noted", () =>
      Effect.gen(function* () {
        const ran = yield* run(shell, { connector: "exit 5", hasVolume: false })
        assert.deepStrictEqual([ran.code, ran.marker], [5, undefined])
      })
    )
  })
}

describe("a marker", () => {
  it("is nothing where it is something else", () => {
    for (const text of ["", "{", "[]", `{"key":"k"}`, `{"key":"k","uid":"u","exitCode":"0","stopped":false}`])
      assert.isUndefined(parseExitMarker(text))
  })

  it("tells that all was done only where it ended well, by itself", () => {
    assert.isTrue(hasFinished(noted(0, false)))
    assert.isFalse(hasFinished(noted(0, true)))
    assert.isFalse(hasFinished(noted(1, false)))
  })
})
