import { assert, describe, it } from "@effect/vitest"
import { PodFailure } from "../../../src/kubernetes/verdict/PodFailure.ts"
import { failureClasses } from "../../../src/olake/Failures.ts"

const given = {
  pod: "olake-job-7-0123456789",
  container: "connector",
  node: "node-1",
  image: "olakego/source-postgres:v0.2.0",
  memoryLimit: "64Mi"
}

const texts: Readonly<Record<string, string>> = Object.fromEntries(
  failureClasses.map((kind) => [
    kind,
    new PodFailure({
      ...given,
      class: kind,
      reason: "Why",
      exitCode: 7,
      clusterMessage: "The cluster's words."
    }).message
  ])
)

describe("what people read", () => {
  it("of each class", ({ expect }) => expect(texts).toMatchSnapshot())

  it("names the connector's own last line", () => {
    const failure = new PodFailure({
      ...given,
      class: "ConnectorFailed",
      exitCode: 1,
      reason: "Error"
    }).withLastLine("could not open the slot")
    assert.strictEqual(
      failure.message,
      "The connector failed: could not open the slot. [container connector of Pod olake-job-7-0123456789 on node node-1: Error, exit code 1] Its log (logs/ in the run's directory) has the details."
    )
  })

  it("of a connector that fails over its memory is what to do about memory; its class stays", () => {
    for (const line of [
      "fatal error: runtime: out of memory",
      "java.lang.OutOfMemoryError: Java heap space"
    ]) {
      const failure = new PodFailure({ ...given, class: "ConnectorFailed", exitCode: 2 }).withLastLine(line)
      assert.strictEqual(failure.failureType, "ConnectorFailed")
      assert.strictEqual(failure.category, "oom")
      assert.include(failure.message, `The connector ran out of memory (limit 64Mi): ${line}`)
      assert.isTrue(failure.message.endsWith(failure.remedy))
      assert.include(failure.remedy, "JOB_MEMORY_LIMIT")
    }
  })

  it("has a word for OLake's UI, its own where that knows one", () => {
    const categories = Object.fromEntries(
      failureClasses.map((kind) => [kind, new PodFailure({ ...given, class: kind }).category])
    )
    assert.deepInclude(categories, {
      ConnectorFailed: undefined,
      Stopped: undefined,
      OOM: "oom",
      Killed: "oom",
      Evicted: "evicted",
      StorageLimit: "evicted",
      DeletedExternally: "removed",
      ImageUnpullable: "image-unpullable",
      NodeLost: "node-lost",
      Unschedulable: "unschedulable"
    })
  })

  it("takes a connector's colours and line ends out", () => {
    const failure = new PodFailure({
      ...given,
      class: "Killed",
      clusterMessage: "\u001b[31mFATAL\u001b[0m a\n\tb\u0007"
    })
    assert.include(failure.message, ": FATAL a b.")
    assert.notMatch(failure.message, /\p{Cc}/u)
  })

  it("names the limit that was hit, and the image that is missing", () => {
    assert.include(texts.OOM, "64Mi")
    assert.include(texts.ImageUnpullable, "olakego/source-postgres:v0.2.0")
  })

  it("each has one remedy, and stays short", () => {
    for (const kind of failureClasses) {
      const failure = new PodFailure({ ...given, class: kind, clusterMessage: "x".repeat(5000) })
      assert.isBelow(failure.message.length, 1500)
      assert.strictEqual(failure.failureType, kind)
    }
  })
})
