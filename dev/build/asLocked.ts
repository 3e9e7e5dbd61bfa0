/** Whether node_modules holds exactly what package-lock.json says, file hashes included. For the image's build. */
import { readFileSync } from "node:fs"

interface Entry {
  readonly version?: string
  readonly integrity?: string
}

const entriesOf = (file: string): ReadonlyMap<string, Entry> => {
  const { packages } = JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, Entry> }
  return new Map(Object.entries(packages).filter(([path]) => path !== ""))
}

const locked = entriesOf("package-lock.json")
const installed = entriesOf("node_modules/.package-lock.json")
const strangers = [...installed].filter(([path, { version, integrity }]) => {
  const entry = locked.get(path)
  return entry === undefined || entry.version !== version || entry.integrity !== integrity
})
for (const [path, { version }] of strangers) console.error(`not as in package-lock.json: ${path} ${version}`)
if (strangers.length > 0 || installed.size === 0) process.exit(1)
console.log(`${installed.size} packages as in package-lock.json`)
