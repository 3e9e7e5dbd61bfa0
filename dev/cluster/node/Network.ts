import { existsSync, readdirSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { bridge, hostAddress } from "../Settings.ts"
import { findProgram, run } from "../Shell.ts"

/** A fixed hardware address: otherwise the bridge takes another one with each Pod, and open connections stall. */
const hardwareAddress = "0a:58:0a:f4:00:01"

/** The CNI plugin would make it with the first Pod; servers for the Pods want its address before that. */
export const makeBridge = async (): Promise<void> => {
  await run("ip", ["link", "add", bridge.name, "address", hardwareAddress, "type", "bridge"])
  await run("ip", ["address", "add", `${hostAddress}/${bridge.prefixLength}`, "dev", bridge.name])
  await run("ip", ["link", "set", bridge.name, "up"])
}

const removeBridge = async (): Promise<void> => {
  if (existsSync(`/sys/class/net/${bridge.name}`)) await run("ip", ["link", "delete", bridge.name])
}

const removeProxyRules = async (): Promise<void> => {
  if (findProgram("nft") === undefined) return
  const tables = await run("nft", ["list", "tables"])
  for (const family of ["ip", "ip6"]) {
    if (tables.includes(`table ${family} kube-proxy\n`)) {
      await run("nft", ["delete", "table", family, "kube-proxy"])
    }
  }
}

const namespaces = "/run/netns"
const pluginResults = "/var/lib/cni/results"

const list = (folder: string): ReadonlyArray<string> => (existsSync(folder) ? readdirSync(folder) : [])

/** The named network namespaces that the processes live in. */
export const findNetworkNamespaces = (pids: ReadonlyArray<number>): ReadonlyArray<string> => {
  const inodes = new Set(pids.map((pid) => statSync(`/proc/${pid}/ns/net`, { throwIfNoEntry: false })?.ino))
  return list(namespaces).filter((name) => inodes.has(statSync(join(namespaces, name)).ino))
}

/** libcni notes each Pod here, at one fixed place; Pods that are stopped without the kubelet leave their notes. */
const removePluginResults = (): void => {
  for (const file of list(pluginResults)) {
    const sandbox = new RegExp(`^${bridge.network}-(\\w+)-eth0$`).exec(file)?.[1]
    if (sandbox === undefined) continue
    rmSync(join(pluginResults, file))
    rmSync(join(pluginResults, `cni-loopback-${sandbox}-lo`), { force: true })
  }
}

export const removeNetwork = async (podNamespaces: ReadonlyArray<string>): Promise<void> => {
  for (const name of podNamespaces) {
    if (existsSync(join(namespaces, name))) await run("ip", ["netns", "delete", name])
  }
  removePluginResults()
  await removeBridge()
  await removeProxyRules()
}
