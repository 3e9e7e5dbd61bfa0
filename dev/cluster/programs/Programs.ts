import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { copyFile, mkdir, mkdtemp, rename, rm } from "node:fs/promises"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { kubernetesVersion } from "../Settings.ts"
import { run, runShown } from "../Shell.ts"

const sources = import.meta.dirname
const [major = "", minor = ""] = kubernetesVersion.replace(/^v/, "").split(".")

const packages = [
  "k8s.io/kubernetes/cmd/kube-apiserver",
  "k8s.io/kubernetes/cmd/kube-controller-manager",
  "k8s.io/kubernetes/cmd/kube-scheduler",
  "k8s.io/kubernetes/cmd/kubelet",
  "k8s.io/kubernetes/cmd/kube-proxy",
  "k8s.io/kubernetes/cmd/kubectl",
  "go.etcd.io/etcd/server/v3"
]

/** Without the stamped version every program says v0.0.0, and clients believe it. */
const linkerFlags = [
  "-s -w",
  `-X k8s.io/component-base/version.gitVersion=${kubernetesVersion}`,
  `-X k8s.io/component-base/version.gitMajor=${major}`,
  `-X k8s.io/component-base/version.gitMinor=${minor}`,
  `-X k8s.io/client-go/pkg/version.gitVersion=${kubernetesVersion}`
].join(" ")

const buildArguments = ["build", "-mod=readonly", "-buildvcs=false", "-ldflags", linkerFlags]
const pauseArguments = ["-static", "-Os"]

export const cacheFolder = (): string =>
  join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "olake-worker")

/** Named after everything that goes into the programs, so that a change of version builds anew. */
export const programsFolder = (): string => {
  const hash = createHash("sha256")
  for (const file of ["go.mod", "pause.c"]) hash.update(readFileSync(join(sources, file)))
  hash.update(JSON.stringify([packages, buildArguments, pauseArguments, process.arch]))
  return join(cacheFolder(), `kubernetes-${kubernetesVersion}-${hash.digest("hex").slice(0, 12)}`)
}

export const programsAreBuilt = (folder: string): boolean => existsSync(folder)

export const goEnvironment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  CGO_ENABLED: "0",
  GOTOOLCHAIN: "local",
  GOFLAGS: "",
  GOWORK: "off"
})

const build = async (folder: string): Promise<void> => {
  const env = goEnvironment()
  await runShown("go", [...buildArguments, "-o", `${folder}/`, ...packages], { cwd: sources, env })
  await rename(join(folder, "server"), join(folder, "etcd"))
  await run("gcc", [...pauseArguments, "-o", join(folder, "pause"), join(sources, "pause.c")])
  await copyFile(join(sources, "go.mod"), join(folder, "go.mod"))
}

/**
 * Builds into the folder, once; another that builds at the same time loses the rename and uses the winner's.
 * @param what is built and how long it takes, for people
 */
export const buildOnce = async (
  folder: string,
  what: string,
  into: (unfinished: string) => Promise<void>
): Promise<string> => {
  if (programsAreBuilt(folder)) return folder
  await mkdir(dirname(folder), { recursive: true })
  const unfinished = await mkdtemp(`${folder}.unfinished-`)
  try {
    console.log(`building ${what} from source, once`)
    await into(unfinished)
    await rename(unfinished, folder)
  } catch (error) {
    if (!programsAreBuilt(folder)) throw error
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return folder
}

export const ensurePrograms = (): Promise<string> =>
  buildOnce(programsFolder(), `Kubernetes ${kubernetesVersion} (about 6 minutes on 2 cores)`, build)
