/** A container's volumes as folders of this host. Processes see no mounts: their paths are rewritten instead. */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { type Env, entries, type Lookup } from "./Environment.ts"
import type { Container, PodSpec, Volume } from "./Pod.ts"

/** Mount path to host folder. */
export type Mounts = Readonly<Record<string, string>>

/** Claims that the Pod names and the host has no folder for. */
export const missingClaim = (spec: PodSpec, claims: Readonly<Record<string, string>>): string | undefined =>
  (spec.volumes ?? [])
    .map((volume) => volume.persistentVolumeClaim?.claimName)
    .find((name) => name !== undefined && claims[name] === undefined)

const filled = async (dir: string, content: Env): Promise<string> => {
  await fs.mkdir(dir, { recursive: true })
  for (const [name, text] of Object.entries(content)) await fs.writeFile(path.join(dir, name), text)
  return dir
}

/** Undefined where a Secret or ConfigMap is missing: such a Pod waits. */
const folderOf = async (
  volume: Volume,
  scratch: string,
  claims: Readonly<Record<string, string>>,
  lookup: Lookup
): Promise<string | undefined> => {
  if (volume.persistentVolumeClaim !== undefined) return claims[volume.persistentVolumeClaim.claimName]
  const dir = path.join(scratch, volume.name)
  const [resource, name, optional] =
    volume.secret === undefined
      ? (["configmaps", volume.configMap?.name, volume.configMap?.optional] as const)
      : (["secrets", volume.secret.secretName, volume.secret.optional] as const)
  if (name === undefined) return filled(dir, {})
  const object = lookup(resource, name)
  if (object === undefined && optional !== true) return undefined
  return filled(dir, object === undefined ? {} : entries(resource, object))
}

/** Makes the folders, a missing subPath too, as the kubelet does. Undefined while something is missing. */
export const prepare = async (
  spec: PodSpec,
  container: Container,
  scratch: string,
  claims: Readonly<Record<string, string>>,
  lookup: Lookup
): Promise<Mounts | undefined> => {
  const mounts: Record<string, string> = {}
  for (const mount of container.volumeMounts ?? []) {
    const volume = spec.volumes?.find((one) => one.name === mount.name)
    const folder = volume === undefined ? undefined : await folderOf(volume, scratch, claims, lookup)
    if (folder === undefined) return undefined
    const target = path.join(folder, mount.subPath ?? "")
    await fs.mkdir(target, { recursive: true })
    mounts[mount.mountPath.replace(/\/$/, "")] = target
  }
  return mounts
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)

/** Every mount path in the text becomes its host folder; `/mnt/config.json` is none of `/mnt/config`. */
export const rewrite = (text: string, mounts: Mounts): string => {
  const paths = Object.keys(mounts).toSorted((a, b) => b.length - a.length)
  if (paths.length === 0) return text
  const pattern = new RegExp(`(?<![\\w./-])(${paths.map(escaped).join("|")})(?![\\w.-])`, "g")
  return text.replaceAll(pattern, (mount) => mounts[mount] ?? mount)
}
