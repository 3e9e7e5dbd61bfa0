import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { chmod, copyFile, cp, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { pipeline } from "node:stream/promises"
import { containerdSocket, pauseImage } from "../Settings.ts"
import { run } from "../Shell.ts"

/** Kubernetes' name for what Node calls x64. */
const architecture = process.arch === "x64" ? "amd64" : process.arch

export interface ImageConfig {
  readonly Entrypoint: ReadonlyArray<string>
  readonly WorkingDir?: string
  readonly Env?: ReadonlyArray<string>
}

export const withTemporaryFolder = async <A>(use: (folder: string) => Promise<A>): Promise<A> => {
  const folder = await mkdtemp(join(tmpdir(), "olake-image-"))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const sha256 = async (file: string): Promise<string> => {
  const hash = createHash("sha256")
  await pipeline(createReadStream(file), hash)
  return hash.digest("hex")
}

/** Same content, same bytes: what is the same image to containerd stays so between builds. */
const reproducible = "--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner".split(" ")

const tar = (folder: string, file: string, names: ReadonlyArray<string>): Promise<string> =>
  run("tar", [...reproducible, "--create", "--file", file, "--directory", folder, ...names])

/** Packs a folder as a one-layer image in the format of `docker save`. */
export const packImage = (root: string, name: string, config: ImageConfig, outFile: string): Promise<void> =>
  withTemporaryFolder(async (folder) => {
    const layer = join(folder, "layer.tar")
    await tar(root, layer, ["."])
    const image = {
      architecture,
      os: "linux",
      config,
      rootfs: { type: "layers", diff_ids: [`sha256:${await sha256(layer)}`] }
    }
    const manifest = [{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }]
    await writeFile(join(folder, "config.json"), JSON.stringify(image))
    await writeFile(join(folder, "manifest.json"), JSON.stringify(manifest))
    const unfinished = `${outFile}.${process.pid}.unfinished`
    await tar(folder, unfinished, ["manifest.json", "config.json", "layer.tar"])
    await rename(unfinished, outFile)
  })

export const copyInto = async (root: string, file: string, path = file): Promise<void> => {
  const target = join(root, path)
  await mkdir(dirname(target), { recursive: true })
  await cp(file, target, { dereference: true })
}

/** The folders, root's entry in passwd, and busybox under each of the names in `programs`. */
export const makeBaseSystem = async (
  root: string,
  busybox: string,
  applets: ReadonlyArray<string>,
  programs = "bin"
): Promise<void> => {
  for (const folder of [programs, "etc", "home", "root", "mnt"]) await mkdir(join(root, folder))
  await mkdir(join(root, "tmp"))
  await chmod(join(root, "tmp"), 0o1777)
  await writeFile(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")
  await writeFile(join(root, "etc/group"), "root:x:0:\n")
  await copyFile(busybox, join(root, programs, "busybox"))
  for (const applet of applets) await symlink("busybox", join(root, programs, applet))
}

export const loadImage = async (file: string): Promise<void> => {
  await run("ctr", ["--address", containerdSocket, "--namespace", "k8s.io", "images", "import", file])
}

export const loadPauseImage = (program: string): Promise<void> =>
  withTemporaryFolder(async (folder) => {
    const root = join(folder, "root")
    await copyInto(root, program, "pause")
    await packImage(root, pauseImage, { Entrypoint: ["/pause"] }, join(folder, "pause.tar"))
    await loadImage(join(folder, "pause.tar"))
  })
