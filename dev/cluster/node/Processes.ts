import { spawn } from "node:child_process"
import { closeSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { inState } from "../Settings.ts"
import { ClusterError } from "../Shell.ts"

/** Start order; `down` stops in reverse. */
export const programNames = [
  "containerd",
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy"
] as const
export type ProgramName = (typeof programNames)[number]

/** A pid alone may by now be a stranger's: with its start time it is this process and no other. */
export interface ProcessId {
  readonly pid: number
  readonly startedAt: string
}

export const identify = (pid: number): ProcessId | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    const [state, startedAt] = [fields[0], fields[19]]
    return state === undefined || state === "Z" || startedAt === undefined ? undefined : { pid, startedAt }
  } catch {
    return undefined
  }
}

export const isAlive = (id: ProcessId): boolean => identify(id.pid)?.startedAt === id.startedAt

const pidFile = (name: ProgramName): string => inState("pids", name)
const logFile = (name: ProgramName): string => inState("log", `${name}.log`)

const readPid = (name: ProgramName): ProcessId | undefined => {
  try {
    const [pid, startedAt] = readFileSync(pidFile(name), "utf8").trim().split(" ")
    return pid === undefined || startedAt === undefined ? undefined : { pid: Number(pid), startedAt }
  } catch {
    return undefined
  }
}

export const findRunning = (name: ProgramName): ProcessId | undefined => {
  const id = readPid(name)
  return id !== undefined && isAlive(id) ? id : undefined
}

/** Every program talks to this machine only: an inherited proxy would swallow that. */
const withoutProxy = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(https?|all)_proxy$/i.test(name)))

export const start = (name: ProgramName, file: string, args: ReadonlyArray<string>): void => {
  const log = openSync(logFile(name), "a")
  const child = spawn(file, args, { detached: true, env: withoutProxy(), stdio: ["ignore", log, log] })
  child.on("error", (error) => writeFileSync(logFile(name), `${error.message}\n`, { flag: "a" }))
  closeSync(log)
  child.unref()
  const id = child.pid === undefined ? undefined : identify(child.pid)
  writeFileSync(pidFile(name), id === undefined ? "" : `${id.pid} ${id.startedAt}\n`)
}

const started = (): ReadonlyArray<ProgramName> => {
  const files = new Set(readdirSync(inState("pids")))
  return programNames.filter((name) => files.has(name))
}

const logTail = (name: ProgramName): string => {
  const lines = readFileSync(logFile(name), "utf8").trimEnd().split("\n").slice(-20)
  return [`last lines of ${logFile(name)}:`, ...lines].join("\n")
}

export interface WaitOptions {
  /** Whose log tells why it did not happen. */
  readonly on: ProgramName
  readonly seconds: number
  readonly signal: AbortSignal
}

/** Polls until `condition` holds; fails at once when any started program has died meanwhile. */
export const waitFor = async (
  what: string,
  condition: () => Promise<boolean>,
  options: WaitOptions
): Promise<void> => {
  const deadline = Date.now() + options.seconds * 1000
  while (!(await condition())) {
    options.signal.throwIfAborted()
    const dead = started().find((name) => findRunning(name) === undefined)
    if (dead !== undefined) throw new ClusterError(`${dead} died\n${logTail(dead)}`)
    if (Date.now() > deadline) {
      throw new ClusterError(`${what}: not within ${options.seconds} s\n${logTail(options.on)}`)
    }
    await sleep(100)
  }
}

const send = (id: ProcessId, signal: NodeJS.Signals): void => {
  try {
    if (isAlive(id)) process.kill(id.pid, signal)
  } catch {
    // It ended between the look and the signal.
  }
}

const isGoneWithin = async (id: ProcessId, milliseconds: number): Promise<boolean> => {
  const deadline = Date.now() + milliseconds
  while (isAlive(id) && Date.now() < deadline) await sleep(50)
  return !isAlive(id)
}

export const kill = (id: ProcessId): void => send(id, "SIGKILL")

/** SIGCONT first: a test may have left the program stopped, and a stopped one does not hear SIGTERM. */
export const stopProcess = async (id: ProcessId): Promise<void> => {
  send(id, "SIGCONT")
  send(id, "SIGTERM")
  if (await isGoneWithin(id, 10_000)) return
  kill(id)
  if (!(await isGoneWithin(id, 5_000))) throw new ClusterError(`process ${id.pid} does not end`)
}

export const stop = async (name: ProgramName): Promise<void> => {
  const id = readPid(name)
  if (id !== undefined) await stopProcess(id)
  rmSync(pidFile(name), { force: true })
}
