/** Shared by the tests of dev/: folders, conditions and connector runs. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { execFile, spawn } from "node:child_process"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

export const CONNECTOR = fileURLToPath(new URL("../../dev/connector/main.ts", import.meta.url))

export const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "olake-dev-test-"))),
  (dir) => Effect.promise(() => fs.rm(dir, { recursive: true, force: true }))
)

/** Waits until the check gives a value, or fails after the bound. */
export const eventually = <A>(
  what: string,
  check: () => Promise<A | undefined> | A | undefined,
  bound: Duration.Input = "30 seconds"
) =>
  Effect.tryPromise(async () => check()).pipe(
    Effect.flatMap((value) =>
      value === undefined ? Effect.fail(new Error(`not yet: ${what}`)) : Effect.succeed(value)
    ),
    Effect.retry(Schedule.spaced("20 millis")),
    Effect.timeout(bound),
    Effect.mapError((error) => new Error(`${what}: ${error.message}`))
  )

export interface Ran {
  readonly exitCode: number
  readonly stdout: string
}

export const connector = (cwd: string, args: ReadonlyArray<string>) =>
  Effect.callback<Ran>((resume) => {
    execFile(process.execPath, [CONNECTOR, ...args], { cwd }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : Number(error.code)
      resume(Effect.succeed({ exitCode, stdout: stdout + stderr }))
    })
  })

/** A connector that runs until it is told to stop. */
export const startConnector = (cwd: string, args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [CONNECTOR, ...args], { cwd, stdio: "ignore" })
      const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)))
      return { child, exited: Effect.promise(() => exited) }
    }),
    ({ child, exited }) => Effect.sync(() => child.kill("SIGKILL")).pipe(Effect.andThen(exited))
  )

export const readJson = async (file: string): Promise<unknown> => JSON.parse(await fs.readFile(file, "utf8"))

export const writeJson = (dir: string, files: Readonly<Record<string, unknown>>) =>
  Effect.promise(() =>
    Promise.all(
      Object.entries(files).map(([name, content]) =>
        fs.writeFile(path.join(dir, name), JSON.stringify(content))
      )
    )
  )

/** The rows of every JSON Lines file under the folder, by table. */
export const movedRows = async (dir: string): Promise<Readonly<Record<string, ReadonlyArray<unknown>>>> => {
  const rows: Record<string, Array<unknown>> = {}
  const files = await fs.readdir(dir, { recursive: true, withFileTypes: true })
  for (const file of files.filter((entry) => entry.name.endsWith(".jsonl"))) {
    const text = await fs.readFile(path.join(file.parentPath, file.name), "utf8")
    const table = path.basename(file.parentPath)
    for (const line of text.trim().split("\n")) (rows[table] ??= []).push(JSON.parse(line))
  }
  return rows
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
