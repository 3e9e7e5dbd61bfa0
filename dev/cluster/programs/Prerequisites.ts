import { findHelm } from "./Helm.ts"
import { findProgram, isExecutable, run, runShown, ClusterError } from "../Shell.ts"
import { programsFolder, programsAreBuilt } from "./Programs.ts"

const pluginFolders = ["/usr/lib/cni", "/opt/cni/bin"]
const plugins = ["bridge", "host-local", "loopback"]
const oldestGo: readonly [number, number] = [1, 24]

/** What each program is called and the Debian package that brings it. */
const packageOf: Readonly<Record<string, string>> = {
  containerd: "containerd",
  ctr: "containerd",
  runc: "runc",
  ip: "iproute2",
  nft: "nftables",
  iptables: "iptables",
  openssl: "openssl",
  busybox: "busybox-static",
  buildah: "buildah",
  wget: "wget",
  mount: "mount",
  tar: "tar"
}

export const findPluginFolder = (): string | undefined =>
  pluginFolders.find((folder) => plugins.every((plugin) => isExecutable(`${folder}/${plugin}`)))

interface Missing {
  readonly what: string
  readonly package?: string
}

const missingForBuild = async (): Promise<ReadonlyArray<Missing>> => {
  const isBuilt = programsAreBuilt(programsFolder())
  if (isBuilt && findHelm() !== undefined) return []
  const missing: Array<Missing> = []
  if (!isBuilt && findProgram("gcc") === undefined) missing.push({ what: "gcc", package: "gcc libc6-dev" })
  const wanted = oldestGo.join(".")
  if (findProgram("go") === undefined) {
    missing.push({ what: `go ${wanted} or newer (Debian 12's own is too old: https://go.dev/doc/install)` })
    return missing
  }
  const version = (await run("go", ["env", "GOVERSION"])).trim()
  const [, major = "0", minor = "0"] = /^go(\d+)\.(\d+)/.exec(version) ?? []
  const tooOld = Number(major) === oldestGo[0] && Number(minor) < oldestGo[1]
  if (tooOld) missing.push({ what: `go ${wanted} or newer: this one is ${version}` })
  return missing
}

const findMissing = async (): Promise<ReadonlyArray<Missing>> => {
  const missing: Array<Missing> = []
  if (process.platform !== "linux") missing.push({ what: "Linux" })
  if (process.getuid?.() !== 0) missing.push({ what: "root" })
  for (const [program, name] of Object.entries(packageOf)) {
    if (findProgram(program) === undefined) missing.push({ what: program, package: name })
  }
  if (findPluginFolder() === undefined) {
    missing.push({ what: `CNI plugins ${plugins.join(", ")}`, package: "containernetworking-plugins" })
  }
  return [...missing, ...(await missingForBuild())]
}

const packagesOf = (missing: ReadonlyArray<Missing>): ReadonlyArray<string> => [
  ...new Set(missing.flatMap((item) => item.package?.split(" ") ?? []))
]

const explain = (missing: ReadonlyArray<Missing>): string => {
  const lines = ["missing:", ...missing.map((item) => `  ${item.what}`)]
  const packages = packagesOf(missing)
  if (packages.length > 0) {
    lines.push(
      `on Debian: apt-get install --yes ${packages.join(" ")}`,
      "(or: npm run cluster -- up --install)"
    )
  }
  return lines.join("\n")
}

export const checkPrerequisites = async (options: { readonly install: boolean }): Promise<void> => {
  let missing = await findMissing()
  const packages = packagesOf(missing)
  const isOnlyPackages = missing.every((item) => item.package !== undefined)
  if (options.install && isOnlyPackages && packages.length > 0) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
    await runShown("apt-get", ["update", "--quiet"], { env })
    await runShown("apt-get", ["install", "--yes", "--quiet", "--no-install-recommends", ...packages], {
      env
    })
    missing = await findMissing()
  }
  if (missing.length > 0) throw new ClusterError(explain(missing))
}
