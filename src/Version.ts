/** This worker's version, as package.json has it. */
import { readFileSync } from "node:fs"

/** One folder above, both from the sources and from the built program. */
const file = new URL("../package.json", import.meta.url)

const read = (): string => {
  try {
    return /"version":\s*"([^"]+)"/.exec(readFileSync(file, "utf8"))?.[1] ?? "unknown"
  } catch {
    // A worker that was copied without it works all the same.
    return "unknown"
  }
}

export const version = read()
