/** Keeps package-lock.json one that `npm ci` takes on every platform: nothing optional is left out, no registry is named. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import * as path from "node:path"

interface Entry {
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const root = path.resolve(import.meta.dirname, "..")
const { packages } = JSON.parse(readFileSync(path.join(root, "package-lock.json"), "utf8")) as {
  packages: Readonly<Record<string, Entry>>
}
const entries = Object.entries(packages)

/** Where Node looks for a dependency of the package at `place`, nearest first. */
const lookUps = (place: string, name: string): ReadonlyArray<string> => {
  const outer = place.lastIndexOf("node_modules/")
  const here = `${place === "" ? "" : `${place}/`}node_modules/${name}`
  return place === "" ? [here] : [here, ...lookUps(place.slice(0, Math.max(outer - 1, 0)), name)]
}

describe("package-lock.json", () => {
  it("has every optional dependency, so each platform's: run `npm install` where npm can get them all", () => {
    const wanted = entries.flatMap(([place, { optionalDependencies = {} }]) =>
      Object.entries(optionalDependencies).map(([name, range]) => ({ place, name, range }))
    )
    assert.isAbove(wanted.length, 100)
    const missing = wanted.filter(({ place, name }) => !lookUps(place, name).some((at) => at in packages))
    assert.deepStrictEqual(missing, [])
  })

  it("has the version and the hash of every package, those of other platforms included", () => {
    const vague = entries.filter(([place, { version, integrity }]) => place !== "" && !(version && integrity))
    assert.deepStrictEqual(vague, [])
  })

  it("names no registry: .npmrc leaves `resolved` out", () => {
    assert.deepStrictEqual(
      entries.filter(([, { resolved }]) => resolved !== undefined),
      []
    )
  })
})
