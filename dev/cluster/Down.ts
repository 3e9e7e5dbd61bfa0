import { existsSync, readFileSync, readdirSync, readlinkSync, rmSync } from "node:fs"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { findNetworkNamespaces, removeNetwork } from "./node/Network.ts"
import { identify, isAlive, kill, stop, stopProcess, type ProcessId } from "./node/Processes.ts"
import { containerdSocket, podLogsFolder, stateFolder } from "./Settings.ts"
import { ClusterError, run } from "./Shell.ts"

const readProcess = (pid: string, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8")
  } catch {
    return ""
  }
}

const allPids = (): ReadonlyArray<string> => readdirSync("/proc").filter((name) => /^\d+$/.test(name))

const identifyAll = (pids: ReadonlyArray<string>): ReadonlyArray<ProcessId> =>
  pids.map((pid) => identify(Number(pid))).filter((id) => id !== undefined)

/** One per Pod, started by containerd. They outlive it, and name its socket on their command line. */
const findShims = (): ReadonlyArray<ProcessId> =>
  identifyAll(
    allPids().filter((pid) => {
      const args = readProcess(pid, "cmdline").split("\0")
      return args[0]?.includes("containerd-shim") === true && args.includes(containerdSocket)
    })
  )

const findContainers = (shims: ReadonlyArray<ProcessId>): ReadonlyArray<ProcessId> => {
  const parents = new Set(shims.map(({ pid }) => String(pid)))
  return identifyAll(
    allPids().filter((pid) => parents.has(/^PPid:\s*(\d+)$/m.exec(readProcess(pid, "status"))?.[1] ?? ""))
  )
}

/** While containerd lives it clears up after each container, and its shim ends by itself. */
const stopContainers = async (): Promise<ReadonlyArray<string>> => {
  const shims = findShims()
  const containers = findContainers(shims)
  const podNamespaces = findNetworkNamespaces(containers.map(({ pid }) => pid))
  for (const container of containers) kill(container)
  const deadline = Date.now() + 5_000
  while (shims.some(isAlive) && Date.now() < deadline) await sleep(50)
  return podNamespaces
}

const mountsInState = (): ReadonlyArray<string> =>
  readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => (line.split(" ")[1] ?? "").replaceAll("\\040", " "))
    .filter((path) => path === stateFolder || path.startsWith(`${stateFolder}/`))
    .toReversed()

/** A mount that stayed may be a Pod's data: removing the state through it would remove the data. */
const unmountAll = async (): Promise<void> => {
  for (const path of mountsInState()) await run("umount", ["--lazy", path])
  const left = mountsInState()
  if (left.length > 0) throw new ClusterError(`still mounted, so nothing is removed: ${left.join(", ")}`)
}

const logLinks = "/var/log/containers"

/** The kubelet puts these at one fixed place, whatever its folders are. */
const removeLogLinks = (): void => {
  try {
    for (const name of readdirSync(logLinks)) {
      const link = join(logLinks, name)
      if (readlinkSync(link).startsWith(`${podLogsFolder}/`)) rmSync(link)
    }
  } catch {
    // No such folder, or a file that is no link of the kubelet's.
  }
}

export const down = async (): Promise<void> => {
  // Without state there was no cluster of ours, and a kube-proxy table on this machine is another's.
  if (!existsSync(stateFolder)) return
  await Promise.all(
    (["kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager"] as const).map(stop)
  )
  await stop("kube-apiserver")
  await stop("etcd")
  const podNamespaces = await stopContainers()
  await stop("containerd")
  await Promise.all(findShims().map(stopProcess))
  await unmountAll()
  await removeNetwork(podNamespaces)
  removeLogLinks()
  await rm(stateFolder, { recursive: true, force: true })
}
