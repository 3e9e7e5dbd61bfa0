/** The worker's own image, built by the Dockerfile as it is, on base images that are made here: no registry is asked. */
import { existsSync } from "node:fs"
import { appendFile, copyFile, mkdir } from "node:fs/promises"
import { join, resolve } from "node:path"
import { addNode, findBusybox, librariesOf } from "./ConnectorImages.ts"
import { copyInto, makeBaseSystem, packImage, withTemporaryFolder } from "./Images.ts"
import { run } from "./Shell.ts"

export const workerImage = "docker.io/olakego/olake-workers:0.0.0-dev"
const nodeBase = "localhost/olake-node:24"
const busyboxBase = "localhost/olake-busybox:1"

const repository = resolve(import.meta.dirname, "../..")
const applets = "sh cat ls ln rm mkdir env mount sleep id".split(" ")
const certificates = "/etc/ssl/certs/ca-certificates.crt"

/** Where a machine's registry is reached through a proxy, npm in the build needs the proxy's certificate too. */
const ownCertificates = (): string | undefined =>
  [process.env["NODE_EXTRA_CA_CERTS"], certificates].find((file) => file !== undefined && existsSync(file))

const machine = process.arch === "arm64" ? "aarch64" : "x86_64"

const nativePart = (): string =>
  join(repository, `node_modules/@temporalio/core-bridge/releases/${machine}-unknown-linux-gnu/index.node`)

const isThere = async (image: string): Promise<boolean> =>
  run("buildah", ["inspect", "--type", "image", image]).then(
    () => true,
    () => false
  )

const load = (root: string, folder: string, name: string, Env: ReadonlyArray<string>): Promise<string> => {
  const file = join(folder, "base.tar")
  return packImage(root, name, { Entrypoint: [], Env }, file).then(() =>
    run("buildah", ["pull", `docker-archive:${file}`])
  )
}

/** Stands in for node:24-bookworm-slim: this machine's Node and libraries, npm, busybox's tools, the user `node`. */
const makeNodeBase = (): Promise<void> =>
  withTemporaryFolder(async (folder) => {
    const root = join(folder, "root")
    await mkdir(join(root, "usr/local/bin"), { recursive: true })
    await makeBaseSystem(root, findBusybox(), applets)
    await appendFile(join(root, "etc/passwd"), "node:x:1000:1000::/home:/bin/sh\n")
    await appendFile(join(root, "etc/group"), "node:x:1000:\n")
    await mkdir(join(root, "usr/bin"))
    await copyFile(findBusybox(), join(root, "usr/bin/env"))
    await addNode(root)
    for (const library of await librariesOf(nativePart())) await copyInto(root, library)
    await run("npm", ["install", "--global", "--prefix", join(root, "usr/local"), "--no-audit", "npm@11"])
    const file = ownCertificates()
    if (file !== undefined) await copyInto(root, file, certificates)
    await load(root, folder, nodeBase, [
      "PATH=/usr/local/bin:/usr/bin:/bin",
      ...(file === undefined ? [] : [`NODE_EXTRA_CA_CERTS=${certificates}`])
    ])
  })

const makeBusyboxBase = (): Promise<void> =>
  withTemporaryFolder(async (folder) => {
    const root = join(folder, "root")
    await mkdir(root)
    await makeBaseSystem(root, findBusybox(), ["sh", "wget"])
    await load(root, folder, busyboxBase, ["PATH=/bin"])
  })

export const buildWorkerArchive = async (outFile: string): Promise<void> => {
  if (!(await isThere(nodeBase))) await makeNodeBase()
  if (!(await isThere(busyboxBase))) await makeBusyboxBase()
  const cache = (await run("npm", ["config", "get", "cache"])).trim()
  await mkdir(cache, { recursive: true })
  await run("buildah", [
    "build",
    "--isolation=chroot",
    `--volume=${cache}:/root/.npm`,
    "--pull-never",
    `--build-arg=NODE_IMAGE=${nodeBase}`,
    `--build-arg=BUSYBOX_IMAGE=${busyboxBase}`,
    `--tag=${workerImage}`,
    repository
  ])
  await run("buildah", ["push", workerImage, `docker-archive:${outFile}:${workerImage}`])
}
