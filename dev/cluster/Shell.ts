import { execFile, spawn } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { promisify } from "node:util"

const execute = promisify(execFile)

/** What a user has to read as it is, without a stack. */
export class ClusterError extends Error {
  override readonly name = "ClusterError"
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

export const run = async (
  program: string,
  args: ReadonlyArray<string>,
  options: RunOptions = {}
): Promise<string> => {
  try {
    const { stdout } = await execute(program, args, { ...options, maxBuffer: 64 * 1024 * 1024 })
    return stdout
  } catch (error) {
    const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : ""
    throw new ClusterError(`${program} ${args.join(" ")} failed: ${stderr || String(error)}`, {
      cause: error
    })
  }
}

/** For long programs: their output goes to the terminal as it comes. */
export const runShown = (
  program: string,
  args: ReadonlyArray<string>,
  options: RunOptions = {}
): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ["ignore", "inherit", "inherit"] })
    child.once("error", reject)
    child.once("close", (code) => {
      if (code === 0) resolve()
      else reject(new ClusterError(`${program} ${args.join(" ")} ended with code ${code}`))
    })
  })

export const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const findProgram = (program: string): string | undefined =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find(isExecutable)

/** A root shell without a login profile often lacks these. */
export const addSystemFoldersToPath = (): void => {
  const folders = (process.env["PATH"] ?? "").split(delimiter)
  const missing = ["/usr/local/sbin", "/usr/sbin", "/sbin"].filter((folder) => !folders.includes(folder))
  process.env["PATH"] = [...folders, ...missing].join(delimiter)
}
