/** Keeps what CONTRIBUTING.md says of the tree: direction of imports, no cycles, effects and environment only at the edge. */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import * as path from "node:path"

const root = path.resolve(import.meta.dirname, "../src")
const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))
const sources = new Map(files.map((file) => [file, readFileSync(path.join(root, file), "utf8")]))

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

const importsOf = (file: string, text: string): ReadonlyArray<Import> =>
  [...text.matchAll(/(?:^|\n)(?:import|export)\s+(type\s)?[^"';]*?from\s+"(\.[^"]+)"/g)].map((match) => ({
    from: file,
    to: path.relative(root, path.resolve(root, path.dirname(file), match[2] ?? "")),
    typeOnly: match[1] !== undefined
  }))

const imports = [...sources].flatMap(([file, text]) => importsOf(file, text))

/** Folders with rooms of their own. */
const divided = ["activity", "kubernetes", "olake", "doctor"]

/** The room a file stands in: its folder, of a divided one the folder within, or itself at the top. */
const roomOf = (file: string): string => {
  const [first = "", second = ""] = file.split("/")
  if (!file.includes("/")) return file.replace(/\.ts$/, "")
  return divided.includes(first) && !second.endsWith(".ts") ? `${first}/${second}` : first
}

const kubernetes = ["kubernetes", "kubernetes/api", "kubernetes/pod", "kubernetes/verdict"]
const activity = ["activity", "activity/short", "activity/telemetry", "activity/writer"]
const olake = ["olake", "olake/contract", "olake/telemetry"]
const edges = ["database", "storage", "temporal", "notification", ...kubernetes]
const base = ["Config", "config", "Logging", "Masking", "Metrics", "Tracing", "Json", "Text", "Schedules"]

/** What a room may import values from, besides itself. Types may come from anywhere to the right as well. */
const allowed: Readonly<Record<string, ReadonlyArray<string>>> = {
  main: ["Worker", "Http", "telemetry", "doctor", "status", "Version", ...base],
  index: ["Worker", "Http", ...activity, ...olake, "status", ...edges, ...base],
  Worker: ["background", "activity", "status", ...edges, ...base],
  Http: ["Worker", "Version", "status", ...edges, ...base],
  background: [...activity, "status", ...edges, ...olake, ...base],
  // The table of activities knows them all; they know the boundary's words only.
  activity: ["activity/short", "activity/writer", ...edges, "status", ...olake, ...base],
  "activity/telemetry": ["activity", ...edges, ...olake, ...base],
  "activity/short": ["activity", "activity/telemetry", ...edges, "status", ...olake, ...base],
  "activity/writer": [
    "activity",
    "activity/short",
    "activity/telemetry",
    ...edges,
    "status",
    ...olake,
    ...base
  ],
  status: [...olake, ...base],
  doctor: ["doctor/checks", ...edges, ...olake, ...base],
  "doctor/checks": ["doctor", ...edges, ...olake, ...base],
  database: [...olake, ...base],
  storage: [...olake, ...base],
  kubernetes: [...kubernetes, ...olake, ...base],
  "kubernetes/api": ["kubernetes/pod", ...olake, ...base],
  // Pure: nothing of the API.
  "kubernetes/pod": [...olake, ...base],
  "kubernetes/verdict": ["kubernetes/pod", ...olake, ...base],
  temporal: [...olake, "workflow", ...base],
  notification: [...olake, ...base],
  workflow: [],
  olake: ["olake/contract", ...base],
  "olake/contract": ["olake", ...base],
  "olake/telemetry": ["olake", ...base],
  Logging: ["Config", "config", "Masking", "Tracing"],
  Masking: ["Config"],
  Config: ["config"],
  config: ["Json", "Text"],
  Json: [],
  Text: [],
  Metrics: [],
  Tracing: [],
  Schedules: [],
  telemetry: ["Version", ...base],
  Version: []
}

const MOST_FILES = 12
/** Beside the rooms, what all of them share. */
const MOST_AT_THE_TOP = 13
const MOST_LINES = 220

describe("architecture", () => {
  it("sees the tree", () => assert.isAbove(imports.length, 50))

  /** Workflows run in a sandbox: all that they may take of the rest, which for that takes nothing itself. */
  const forWorkflows = "olake/Failures.ts"

  it("imports point one way", () => {
    const wrong = imports.filter(({ from, to, typeOnly }) => {
      const [source, target] = [roomOf(from), roomOf(to)]
      if (source === target) return false
      if (source === "workflow") return !typeOnly && to !== forWorkflows
      return !(allowed[source] ?? []).includes(target)
    })
    assert.deepStrictEqual(wrong, [])
  })

  it("no file imports itself by a detour", () => {
    const values = Map.groupBy(
      imports.filter(({ typeOnly }) => !typeOnly),
      ({ from }) => from
    )
    const cycles: Array<string> = []
    const visit = (file: string, trail: ReadonlyArray<string>): void => {
      if (trail.includes(file)) cycles.push([...trail, file].join(" -> "))
      else for (const { to } of values.get(file) ?? []) visit(to, [...trail, file])
    }
    for (const file of files) visit(file, [])
    assert.deepStrictEqual(cycles, [])
  })

  for (const tree of ["src", "dev", "test/support"]) {
    it(`no folder of ${tree} is a drawer`, () => {
      const inside = readdirSync(path.resolve(root, "..", tree), { recursive: true, encoding: "utf8" })
      const programs = inside.filter((file) => file.endsWith(".ts"))
      const drawers = [...Map.groupBy(programs, (file) => path.dirname(file))]
        .filter(([folder, files]) => files.length > (folder === "." ? MOST_AT_THE_TOP : MOST_FILES))
        .map(([folder]) => folder)
      assert.isNotEmpty(programs)
      assert.deepStrictEqual(drawers, [])
    })
  }

  it(`no file has more than ${MOST_LINES} lines`, () => {
    const long = [...sources]
      .filter(([, text]) => text.split("\n").length - 1 > MOST_LINES)
      .map(([file]) => file)
    assert.deepStrictEqual(long, [])
  })

  const only = (what: string, pattern: RegExp, where: ReadonlyArray<string>) =>
    it(`${what} only in ${where.join(", ")}`, () => {
      const found = [...sources].filter(([, text]) => pattern.test(text)).map(([file]) => file)
      assert.deepStrictEqual(
        found.filter((file) => !where.includes(file)),
        []
      )
    })

  only("effects are run", /\brun(Promise|Fork|Sync|Main|Callback)\w*\(/, [
    "main.ts",
    "activity/Boundary.ts",
    // The SDK's logger is a callback.
    "temporal/TemporalRuntime.ts"
  ])
  only("the environment is read", /process\.env\b/, ["Config.ts"])
  // In Temporal's sandbox that is the workflow's own clock.
  only("the wall clock is read", /new Date\(\)|Date\.now\(\)/, ["workflow/workflows.ts"])

  it(`${forWorkflows} imports nothing`, () =>
    assert.notMatch(sources.get(forWorkflows) ?? "import", /\bimport\b/))

  it("workflows know neither Effect nor Node", () => {
    const text = [...sources].filter(([file]) => file.startsWith("workflow/")).map(([, source]) => source)
    for (const source of text) assert.notMatch(source, /from "(?:effect|node:|@effect)/)
  })
})
