import { statSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { isNodeReady } from "./Readiness.ts"
import {
  buildConnectorArchive,
  buildProbeArchive,
  buildShelllessArchive,
  connectorImage,
  probeImage,
  shelllessImage
} from "./images/ConnectorImages.ts"
import { down } from "./Down.ts"
import { loadImage, withTemporaryFolder } from "./images/Images.ts"
import { withLock } from "./Lock.ts"
import { findRunning, programNames } from "./node/Processes.ts"
import { inState, kubeconfigFile, nodeName, stateFolder } from "./Settings.ts"
import { addSystemFoldersToPath, ClusterError } from "./Shell.ts"
import { isUp, up } from "./Up.ts"
import { buildWorkerArchive, workerImage } from "./images/WorkerImage.ts"

const usage = `usage: npm run cluster -- COMMAND

  up [--install]   start a one-node Kubernetes on this machine (--install: with what it needs from apt)
  images           build the worker's and the development connector's images and load them
  load FILE.tar    load an image archive
  kubeconfig       print the kubeconfig's path
  status           show the programs and the node
  down             stop everything and remove it

State: ${stateFolder} (OLAKE_CLUSTER_DIR)`

const secondsSince = (begin: number): string => ((performance.now() - begin) / 1000).toFixed(1)

const showUp = async (install: boolean, signal: AbortSignal): Promise<void> => {
  const begin = performance.now()
  const outcome = await withLock(() => up({ install, signal }))
  console.log(`kubectl, helm: ${inState("bin")}`)
  const how = outcome === "started" ? `up after ${secondsSince(begin)} s` : outcome
  console.log(`export KUBECONFIG=${kubeconfigFile} # ${how}`)
}

const showStatus = async (): Promise<void> => {
  for (const name of programNames) {
    const id = findRunning(name)
    console.log(`${name.padEnd(24)} ${id === undefined ? "not running" : `running, pid ${id.pid}`}`)
  }
  const ready = await isNodeReady()
  console.log(`${`node ${nodeName}`.padEnd(24)} ${ready ? "Ready" : "not ready"}`)
  if (!(await isUp())) process.exitCode = 1
}

const requireUp = async (): Promise<void> => {
  if (!(await isUp())) throw new ClusterError("the cluster is not up: npm run cluster -- up")
}

const load = async (file: string | undefined): Promise<void> => {
  if (file === undefined) throw new ClusterError("which image archive? npm run cluster -- load FILE.tar")
  await requireUp()
  await loadImage(file)
  console.log(`loaded ${file}`)
}

const loadImages = async (): Promise<void> => {
  await requireUp()
  const images = [
    [probeImage, buildProbeArchive],
    [shelllessImage, buildShelllessArchive],
    [connectorImage, buildConnectorArchive],
    [workerImage, buildWorkerArchive]
  ] as const
  for (const [name, buildArchive] of images) {
    const begin = performance.now()
    await withTemporaryFolder(async (folder) => {
      const file = join(folder, "image.tar")
      await buildArchive(file)
      await loadImage(file)
      const megabytes = (statSync(file).size / 1e6).toFixed(1)
      console.log(`loaded ${name}, ${megabytes} MB, after ${secondsSince(begin)} s`)
    })
  }
}

const showDown = async (): Promise<void> => {
  await withLock(down)
  console.log("down")
}

const main = async (): Promise<void> => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { install: { type: "boolean", default: false } }
  })
  const interruption = new AbortController()
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => interruption.abort(new ClusterError("interrupted")))
  }
  addSystemFoldersToPath()
  switch (positionals[0]) {
    case "up":
      return showUp(values.install, interruption.signal)
    case "down":
      return showDown()
    case "status":
      return showStatus()
    case "kubeconfig":
      return console.log(kubeconfigFile)
    case "load":
      return load(positionals[1])
    case "images":
      return loadImages()
    default:
      throw new ClusterError(usage)
  }
}

try {
  await main()
} catch (error) {
  console.error(error instanceof ClusterError ? error.message : error)
  process.exitCode = 1
}
