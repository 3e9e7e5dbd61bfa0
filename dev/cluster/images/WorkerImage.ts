/** The worker's own image, built by the Dockerfile as it is, on a base that is made here: no registry of images is asked. */
import { existsSync } from "node:fs"
import { appendFile, copyFile, mkdir, realpath, symlink } from "node:fs/promises"
import { basename, join, resolve } from "node:path"
import { addNode, findBusybox, librariesOf } from "./ConnectorImages.ts"
import { copyInto, makeBaseSystem, packImage, withTemporaryFolder } from "./Images.ts"
import { findProgram, run } from "../Shell.ts"

export const workerImage = "docker.io/olakego/olake-workers:0.0.0-dev"
const nodeBase = "localhost/olake-node:24"

const repository = resolve(import.meta.dirname, "../../..")
const applets = "cat ls ln rm mkdir env mount sleep id".split(" ")
const certificates = "/etc/ssl/certs/ca-certificates.crt"

/** Where a machine's registry is reached through a proxy, npm in the build needs the proxy's certificate too. */
const ownCertificates = (): string | undefined =>
  [process.env["NODE_EXTRA_CA_CERTS"], certificates].find((file) => file !== undefined && existsSync(file))

const machine = process.arch === "arm64" ? "aarch64" : "x86_64"

const nativePart = (): string =>
  join(repository, `node_modules/@temporalio/core-bridge/releases/${machine}-unknown-linux-gnu/index.node`)

/** Stands in for node:24-bookworm-slim: this machine's Node, shell, wget and libraries, npm, busybox's tools, the user `node`. */
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
    // Not busybox's: its shell prefers its own wget to the one on PATH.
    const programs = [await realpath("/bin/sh"), findProgram("wget") ?? "/usr/bin/wget"]
    for (const program of programs) await copyInto(root, program, `bin/${basename(program)}`)
    await symlink(basename(programs[0] ?? ""), join(root, "bin/sh"))
    for (const program of [...programs, nativePart()])
      for (const library of await librariesOf(program)) await copyInto(root, library)
    await run("npm", ["install", "--global", "--prefix", join(root, "usr/local"), "--no-audit", "npm@11"])
    const file = ownCertificates()
    if (file !== undefined) await copyInto(root, file, certificates)
    const Env = ["PATH=/usr/local/bin:/usr/bin:/bin"]
    if (file !== undefined) Env.push(`NODE_EXTRA_CA_CERTS=${certificates}`)
    const archive = join(folder, "base.tar")
    await packImage(root, nodeBase, { Entrypoint: [], Env }, archive)
    await run("buildah", ["pull", `docker-archive:${archive}`])
  })

/** Leaves nothing in buildah's own storage. */
export const buildWorkerArchive = async (outFile: string): Promise<void> => {
  const cache = (await run("npm", ["config", "get", "cache"])).trim()
  await mkdir(cache, { recursive: true })
  try {
    await makeNodeBase()
    await run("buildah", [
      "build",
      "--isolation=chroot",
      `--volume=${cache}:/root/.npm`,
      "--jobs=2",
      "--pull-never",
      `--build-arg=NODE_IMAGE=${nodeBase}`,
      `--tag=${workerImage}`,
      repository
    ])
    await run("buildah", ["push", workerImage, `docker-archive:${outFile}:${workerImage}`])
  } finally {
    for (const image of [workerImage, nodeBase])
      await run("buildah", ["rmi", "--force", image]).catch(() => "")
  }
}
