/** The connector's JSON files: plain, or for --config and --destination encrypted by OLake's UI. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createDecipheriv, createHash } from "node:crypto"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { ConnectorError, describe } from "./ConnectorError.ts"

const NONCE_BYTES = 12
const TAG_BYTES = 16

/** AES-256-GCM, key = SHA-256 of the text, nonce first and tag last. Throws where the key does not fit. */
export const decrypt = (base64: string, key: string): string => {
  const bytes = Buffer.from(base64, "base64")
  const decipher = createDecipheriv(
    "aes-256-gcm",
    createHash("sha256").update(key, "utf8").digest(),
    bytes.subarray(0, NONCE_BYTES)
  )
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString(
    "utf8"
  )
}

const parse = (text: string, key: string | undefined): unknown => {
  const value: unknown = JSON.parse(text)
  return typeof value === "string" && key !== undefined ? JSON.parse(decrypt(value, key)) : value
}

export const read = <S extends Schema.ConstraintDecoder<unknown>>(
  file: string | undefined,
  flag: string,
  schema: S,
  key?: string
) =>
  Effect.gen(function* () {
    if (file === undefined) return yield* new ConnectorError({ message: `--${flag} not passed` })
    const failed = (cause: unknown) =>
      new ConnectorError({ message: `failed to read ${path.basename(file)}: ${describe(cause)}` })
    const text = yield* Effect.tryPromise({ try: () => fs.readFile(file, "utf8"), catch: failed })
    const value = yield* Effect.try({ try: () => parse(text, key), catch: failed })
    return yield* Schema.decodeUnknownEffect(schema)(value).pipe(Effect.mapError(failed))
  })

export const write = (file: string, content: unknown) =>
  Effect.tryPromise({
    try: () => fs.writeFile(file, JSON.stringify(content)),
    catch: (cause) =>
      new ConnectorError({ message: `failed to write ${path.basename(file)}: ${describe(cause)}` })
  })

/**
 * Where a path of the container lies in truth. Outside a container (LocalPods) `LOCAL_PODS_MOUNTS` maps
 * mount paths to host folders; inside one it is unset and paths are taken as they are.
 */
export const mounted = (file: string): string => {
  const mounts: unknown = JSON.parse(process.env["LOCAL_PODS_MOUNTS"] ?? "{}")
  for (const [mount, folder] of Object.entries(mounts ?? {})) {
    if (file === mount || file.startsWith(`${mount}/`))
      return path.join(String(folder), file.slice(mount.length))
  }
  return file
}
