/** Helm, built from source as Kubernetes is: what its chart is linted, tested and installed with. */
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { buildOnce, cacheFolder, goEnvironment } from "./Programs.ts"
import { kubernetesVersion } from "../Settings.ts"
import { findProgram, runShown } from "../Shell.ts"

/** The last one whose Kubernetes libraries are the cluster's: most of it is then compiled already. */
const helmVersion = "v3.19.5"
const sources = join(import.meta.dirname, "helm")
const [, major = "", minor = ""] = /^v(\d+)\.(\d+)/.exec(kubernetesVersion) ?? []

/** Without the stamped version of Kubernetes a chart is rendered for v1.20. */
const linkerFlags = [
  "-s -w",
  `-X helm.sh/helm/v3/internal/version.version=${helmVersion}`,
  ...["pkg/chartutil", "pkg/lint/rules"].flatMap((name) => [
    `-X helm.sh/helm/v3/${name}.k8sVersionMajor=${major}`,
    `-X helm.sh/helm/v3/${name}.k8sVersionMinor=${minor}`
  ])
].join(" ")

const buildArguments = ["build", "-mod=readonly", "-buildvcs=false", "-ldflags", linkerFlags]

const helmFolder = (): string => {
  const hash = createHash("sha256").update(readFileSync(join(sources, "go.mod")))
  hash.update(JSON.stringify([buildArguments, process.arch]))
  return join(cacheFolder(), `helm-${helmVersion}-${hash.digest("hex").slice(0, 12)}`)
}

/** The one that was built here, else one on PATH. */
export const findHelm = (): string | undefined => {
  const built = join(helmFolder(), "helm")
  return existsSync(built) ? built : findProgram("helm")
}

export const ensureHelm = async (): Promise<string> => {
  const folder = await buildOnce(helmFolder(), `Helm ${helmVersion} (about 2 minutes on 2 cores)`, (into) =>
    runShown("go", [...buildArguments, "-o", `${into}/`, "helm.sh/helm/v3/cmd/helm"], {
      cwd: sources,
      env: goEnvironment()
    })
  )
  return join(folder, "helm")
}
