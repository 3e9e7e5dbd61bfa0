/** A server program as a child process: up when its output says so, gone when stopped or when this process exits. */
import { type ChildProcess, spawn } from "node:child_process"

export interface Server {
  readonly pid: number
  readonly hasExited: () => boolean
  /** The end of what it printed. */
  readonly output: () => string
  readonly stop: () => Promise<void>
}

export interface ServeOptions {
  readonly uid?: number
  readonly gid?: number
  /** A text of its output that says it is up; without it the server counts as up at once. */
  readonly ready?: string
  readonly stopSignal?: "SIGINT" | "SIGTERM" | "SIGKILL"
}

/** Gone with this process, whatever becomes of the scopes that they belong to. */
const children = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL")
})

const START_TIMEOUT_MS = 60_000
const KILL_AFTER_MS = 10_000
const OUTPUT_KEPT = 8192

export const serve = async (
  program: string,
  args: ReadonlyArray<string>,
  options: ServeOptions
): Promise<Server> => {
  const { uid, gid, ready, stopSignal = "SIGTERM" } = options
  const child = spawn(program, args, {
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid })
  })
  let output = ""
  children.add(child)
  const exited = new Promise<void>((resolve) => {
    const gone = () => {
      children.delete(child)
      resolve()
    }
    child.once("close", gone)
    child.once("error", (error) => {
      output += error.message
      gone()
    })
  })
  const hasExited = () => child.pid === undefined || child.exitCode !== null || child.signalCode !== null
  const stop = async (): Promise<void> => {
    if (hasExited()) return
    child.kill(stopSignal)
    const kill = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS)
    await exited
    clearTimeout(kill)
  }
  const up = new Promise<void>((resolve) => {
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString("utf8")).slice(-OUTPUT_KEPT)
      if (ready === undefined || output.includes(ready)) resolve()
    }
    child.stdout.on("data", collect)
    child.stderr.on("data", collect)
    if (ready === undefined) resolve()
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`not up after ${START_TIMEOUT_MS / 1000} s`), START_TIMEOUT_MS)
  })
  const problem = await Promise.race([up, exited.then(() => "it ended"), late])
  clearTimeout(timer)
  if (problem !== undefined) {
    await stop()
    throw new Error(`${program} ${problem}: ${output.trim()}`)
  }
  return { pid: child.pid ?? 0, hasExited, output: () => output, stop }
}
