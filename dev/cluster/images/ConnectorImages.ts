import { existsSync } from "node:fs"
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { copyInto, makeBaseSystem, packImage, withTemporaryFolder } from "./Images.ts"
import { ClusterError, findProgram, run } from "../Shell.ts"

export const connectorImage = "docker.io/olakego/source-postgres:v0.0.0-dev"
export const probeImage = "docker.io/olakego/source-probe:v0.0.0-dev"
export const shelllessImage = "docker.io/olakego/source-probe:v0.0.0-shellless"

const connectorEntry = resolve(import.meta.dirname, "../../connector/main.ts")
const probeScript = resolve(import.meta.dirname, "probe.sh")

const applets = ["sh", "cat", "ls", "sleep", "echo", "mkdir", "kill", "mount"]
const probeApplets = [...applets, ..."sed grep head tail date dirname printf rm mv ps id env wget".split(" ")]

/** As OLake's own images start. */
const config = {
  Entrypoint: ["./olake"],
  WorkingDir: "/home",
  Env: ["PATH=/usr/local/bin:/bin", "DRIVER_VERSION=v0.0.0-dev"]
}

export const findBusybox = (): string => {
  const file = findProgram("busybox")
  if (file === undefined) throw new ClusterError("no busybox: apt-get install busybox-static")
  return file
}

const writeProgram = async (file: string, text: string): Promise<void> => {
  await writeFile(file, text)
  await chmod(file, 0o755)
}

/** The libraries and the loader, each at the path where the program looks for it. */
export const librariesOf = async (program: string): Promise<ReadonlyArray<string>> => {
  const output = await run("ldd", [program])
  return [...output.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].flatMap(([, path]) => path ?? [])
}

export const addNode = async (root: string): Promise<void> => {
  await copyInto(root, process.execPath, "usr/local/bin/node")
  for (const library of await librariesOf(process.execPath)) await copyInto(root, library)
}

const bundle = async (entry: string, outFile: string): Promise<void> => {
  if (!existsSync(entry)) throw new ClusterError(`no connector to bundle: ${entry}`)
  const { build } = await import("esbuild")
  await build({
    entryPoints: [entry],
    outfile: outFile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    logLevel: "warning",
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);'
    }
  })
}

const inFreshRoot = (use: (root: string) => Promise<void>): Promise<void> =>
  withTemporaryFolder(async (folder) => {
    const root = join(folder, "root")
    await mkdir(root)
    await use(root)
  })

export const buildConnectorArchive = (outFile: string, entry = connectorEntry): Promise<void> =>
  inFreshRoot(async (root) => {
    await makeBaseSystem(root, findBusybox(), applets)
    await addNode(root)
    await bundle(entry, join(root, "home/connector.mjs"))
    await writeProgram(join(root, "home/olake"), '#!/bin/sh\nexec node /home/connector.mjs "$@"\n')
    await packImage(root, connectorImage, config, outFile)
  })

/** Stands in for a connector whose Pod has to behave in a given way: see probe.sh. */
export const buildProbeArchive = (outFile: string): Promise<void> =>
  inFreshRoot(async (root) => {
    await makeBaseSystem(root, findBusybox(), probeApplets)
    await copyFile(probeScript, join(root, "home/olake"))
    await chmod(join(root, "home/olake"), 0o755)
    await packImage(root, probeImage, config, outFile)
  })

/** The same where no worker looks for a shell: one stands in for the connector's own program. */
export const buildShelllessArchive = (outFile: string): Promise<void> =>
  inFreshRoot(async (root) => {
    await makeBaseSystem(root, findBusybox(), probeApplets, "programs")
    const script = await readFile(probeScript, "utf8")
    await writeProgram(join(root, "home/olake"), script.replace("#!/bin/sh\n", "#!/programs/sh\n"))
    const env = ["PATH=/programs", "DRIVER_VERSION=v0.0.0-shellless"]
    await packImage(root, shelllessImage, { ...config, Env: env }, outFile)
  })
