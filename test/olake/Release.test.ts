import { assert, describe, it } from "@effect/vitest"
import { isAtLeast, isRelease } from "../../src/olake/Release.ts"

describe("a connector's version", () => {
  it("is a release by Go's rules", () => {
    for (const tag of ["v1", "v1.2", "v0.9.4", "v0.10.0", "v1.0.0-rc.1", "v1.0.0+build.7", "v0.0.0-dev-1"])
      assert.isTrue(isRelease(tag), tag)
    for (const tag of [
      "",
      "latest",
      "0.9.4",
      "v01.2.3",
      "v1.2.3.4",
      "v1.2-rc",
      "v1.0.0-01",
      "v1.0.0-",
      "dev"
    ])
      assert.isFalse(isRelease(tag), tag)
  })

  it("is compared by its numbers, a prerelease before its release", () => {
    const rising = [
      "v0.9.3",
      "v0.9.4-dev",
      "v0.9.4",
      "v0.10.0",
      "v1.0.0-alpha",
      "v1.0.0-alpha.1",
      "v1.0.0-alpha.beta",
      "v1.0.0-beta",
      "v1.0.0-beta.2",
      "v1.0.0-beta.11",
      "v1.0.0-rc.1",
      "v1"
    ]
    for (const [index, tag] of rising.entries())
      for (const [other, minimum] of rising.entries())
        assert.strictEqual(isAtLeast(tag, minimum), index >= other, `${tag} at least ${minimum}`)
    assert.isTrue(isAtLeast("v0.9.4+build", "v0.9.4"))
    assert.isFalse(isAtLeast("latest", "v0.9.4"))
  })
})
