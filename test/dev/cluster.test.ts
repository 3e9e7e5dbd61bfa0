import { execFileSync, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { packImage } from "../../dev/cluster/images/Images.ts"
import { identify, isAlive } from "../../dev/cluster/node/Processes.ts"

const probe = join(import.meta.dirname, "../../dev/cluster/images/probe.sh")

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "olake-cluster-test-"))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe.runIf(process.platform === "linux")("the development cluster", () => {
  it("takes a process with another start time for a stranger", () => {
    const me = identify(process.pid)
    expect(me !== undefined && isAlive(me)).toBe(true)
    expect(isAlive({ pid: process.pid, startedAt: "1" })).toBe(false)
  })

  it("packs an image whose layer has the digest that its config names", async () => {
    mkdirSync(join(folder, "root"))
    writeFileSync(join(folder, "root/hello"), "hello")
    const archive = join(folder, "image.tar")
    await packImage(join(folder, "root"), "localhost/test:1", { Entrypoint: ["/hello"] }, archive)
    execFileSync("tar", ["--extract", "--file", archive, "--directory", folder])
    const read = (name: string): string => readFileSync(join(folder, name), "utf8")
    expect(JSON.parse(read("manifest.json"))).toEqual([
      { Config: "config.json", RepoTags: ["localhost/test:1"], Layers: ["layer.tar"] }
    ])
    const digest = createHash("sha256")
      .update(readFileSync(join(folder, "layer.tar")))
      .digest("hex")
    expect(JSON.parse(read("config.json"))).toMatchObject({ rootfs: { diff_ids: [`sha256:${digest}`] } })
  })
})

const runProbe = (
  command: string,
  scenario: string
): { status: number | null; lines: ReadonlyArray<unknown> } => {
  const config = join(folder, "config.json")
  writeFileSync(config, JSON.stringify({ host: "db", scenario }, undefined, 2))
  const { status } = spawnSync("sh", [probe, command, "--config", config], { cwd: folder })
  const [run = ""] = readdirSync(join(folder, "logs"))
  const [log] = readdirSync(join(folder, "logs", run))
  const text = log === undefined ? "" : readFileSync(join(folder, "logs", run, log), "utf8")
  const lines = text.split("\n").filter((line) => line !== "")
  return { status, lines: lines.map((line): unknown => JSON.parse(line)) }
}

describe("the probe image's program", () => {
  it("reports a failed check as OLake does, before the fatal line", () => {
    const { status, lines } = runProbe("check", "failed-check-exit-1")
    const message = 'password authentication failed for user "shop"'
    expect(status).toBe(1)
    expect(lines).toMatchObject([
      { level: "debug", message: expect.stringContaining("called with: check --config") },
      { message: { type: "CONNECTION_STATUS", connectionStatus: { status: "FAILED", message } } },
      { level: "fatal", message: `failed to check: ${message}` }
    ])
  })

  it.each([
    ["check", "ok", 0, ["config.json", "logs"]],
    [
      "discover",
      "ok",
      0,
      ["available_streams.json", "config.json", "logs", "selected_streams.json", "streams.json"]
    ],
    ["discover", "no-catalog", 0, ["config.json", "logs"]],
    ["sync", "ok", 0, ["config.json", "logs", "state.json", "stats.json"]],
    ["sync", "exit-1", 1, ["config.json", "logs"]],
    ["sync", "unheard-of", 1, ["config.json", "logs"]]
  ])("%s with scenario %s exits with %i", (command, scenario, status, files) => {
    expect(runProbe(command, scenario).status).toBe(status)
    expect(readdirSync(folder).toSorted()).toEqual(files)
  })

  it("leaves a state that is cut off", () => {
    expect(runProbe("sync", "half-state").status).toBe(1)
    const text = readFileSync(join(folder, "state.json"), "utf8")
    expect(() => JSON.parse(text)).toThrow(SyntaxError)
  })
})
