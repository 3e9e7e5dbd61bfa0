/** Takes from node_modules what never runs: other platforms' native parts, sources of the native part, types and maps. */
import { readdirSync, rmSync } from "node:fs"
import { join } from "node:path"

const platform = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-gnu`
const bridge = "node_modules/@temporalio/core-bridge"
const useless = /\.(?:map|d\.[cm]?ts)$/

const remove = (path: string): void => rmSync(path, { recursive: true })

for (const folder of ["sdk-core", "src", "bridge-macros"]) remove(join(bridge, folder))
const natives = readdirSync(join(bridge, "releases"))
if (!natives.includes(platform)) throw new Error(`no native part for ${platform}: ${natives.join(", ")}`)
for (const name of natives.filter((native) => native !== platform)) remove(join(bridge, "releases", name))
for (const file of readdirSync("node_modules", { recursive: true, withFileTypes: true }))
  if (file.isFile() && useless.test(file.name)) remove(join(file.parentPath, file.name))
