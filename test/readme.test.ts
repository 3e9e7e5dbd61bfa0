/** Keeps the documents true: settings, commands, links, names, and rows of the verdict table. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import * as path from "node:path"
import { settingsTable } from "../src/Config.ts"
import { CHART_RETENTION, chartDefaults } from "../src/config/Installation.ts"
import { databaseChecks } from "../src/doctor/checks/DatabaseChecks.ts"
import { kubernetesChecks } from "../src/doctor/checks/KubernetesChecks.ts"
import { ownerCheck } from "../src/doctor/checks/OwnerCheck.ts"
import { probeCheck } from "../src/doctor/checks/ProbeCheck.ts"
import { storageChecks } from "../src/doctor/checks/StorageChecks.ts"
import { temporalChecks } from "../src/doctor/checks/TemporalChecks.ts"
import * as library from "../src/index.ts"
import { failureClasses, failures } from "../src/olake/Failures.ts"
import { JobsDocument } from "../src/status/Document.ts"
import { phases, states } from "../src/status/Run.ts"
import { testConfig } from "./support/TestConfig.ts"

const root = path.resolve(import.meta.dirname, "..")
const read = (file: string) => readFileSync(path.join(root, file), "utf8")

const documents = [
  "README.md",
  "CONTRIBUTING.md",
  "docs/verdicts.md",
  "docs/migrating.md",
  "docs/metrics.md",
  "docs/claim.md",
  "docs/reliability.md",
  "docs/troubleshooting.md",
  "docs/status.md",
  "docs/operations.md",
  "docs/security.md",
  "helm/README.md"
]
const readme = read("README.md")

const section = (title: string): string => {
  const [, text = ""] = readme.split(`\n## ${title}\n`)
  return text.split("\n## ")[0] ?? ""
}

/** Cells of a table's rows, without its head. */
const rowsOf = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  text
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .map((cells) => cells.slice(1, -1))

const code = (text: string) => `\`${text}\``

describe("README", () => {
  it("its table of variables is the settings'", () => {
    const expected = settingsTable.map(
      ({ variable, aliases, required, default: fallback, secret, meaning }) => [
        [variable, ...aliases].map(code).join(" or "),
        required ? "required" : fallback === undefined || fallback === "" ? "none" : code(fallback),
        secret ? `${meaning} (secret)` : meaning
      ]
    )
    assert.deepStrictEqual(
      rowsOf(section("Configuration")).filter(([name = ""]) => /^`[A-Z_]+`/.test(name)),
      expected
    )
  })

  it("imports what the library exports", () => {
    const names = [...readme.matchAll(/import \{ ([^}]+) \} from "olake-worker"/g)].flatMap(([, list = ""]) =>
      list.split(",").map((name) => name.trim())
    )
    assert.isNotEmpty(names)
    assert.containsAllKeys(library, names)
  })
})

describe("docs/troubleshooting.md", () => {
  const firstCells = rowsOf(read("docs/troubleshooting.md")).map(([cell = ""]) => cell)

  it("explains every class of failure", () => {
    const named = new Set(firstCells.flatMap((types) => types.match(/\w+/g) ?? []))
    assert.deepStrictEqual(
      failureClasses.filter((name) => !named.has(name)),
      []
    )
  })

  it("has every check of the doctor, and no other", () => {
    const settings = testConfig()
    const image = { connector: "postgres", version: "v1" }
    const checks = [
      ...temporalChecks(settings.temporal),
      ...databaseChecks(settings),
      ...kubernetesChecks(settings, image),
      probeCheck(settings, image),
      ...storageChecks(settings),
      ownerCheck(settings)
    ].map(({ name }) => name)
    const row = (name: string) =>
      name.endsWith(".clock") ? "*.clock" : name.replace(/^(\w+\.(?:table|permission))\..*/, "$1.*")
    const rows = firstCells.filter((cell) => /^`[a-z*]+\.[a-z.*-]+`$/.test(cell))
    assert.sameMembers(rows, [...new Set(checks.map(row))].map(code))
  })
})

describe("docs/verdicts.md", () => {
  const rows = rowsOf(read("docs/verdicts.md")).filter(([row = ""]) => /^\d+$/.test(row))

  it("has exactly the rows that the code uses", () => {
    const source = read("src/kubernetes/verdict/decide.ts") + read("src/kubernetes/verdict/Waiting.ts")
    const used = [
      ...source.matchAll(/\b(?:failed|pending)\((\d+),/g),
      ...source.matchAll(/\[(\d+), "[A-Z]\w+"\]/g),
      ...source.matchAll(/\brow: (\d+)/g),
      ...[...source.matchAll(/\brow: \w+ \? (\d+) : (\d+)/g)].flatMap(([, one, other]) => [
        ["", one] as const,
        ["", other] as const
      ])
    ].map(([, row]) => Number(row))
    assert.deepStrictEqual(
      rows.map(([row]) => Number(row)),
      [...new Set(used)].toSorted((a, b) => a - b)
    )
  })

  it("says of each class whether another attempt may follow", () => {
    for (const [row, , outcome = "", retry] of rows) {
      const classes = failureClasses.filter((name) => outcome.includes(code(name)))
      const retries = [...new Set(classes.map((name) => failures[name].retry))]
      assert.strictEqual(retry, classes.length === 0 ? "-" : retries.join(" or "), `row ${row}`)
    }
    const outcomes = rows.map(([, , outcome]) => outcome).join()
    assert.deepStrictEqual(
      failureClasses.filter((name) => !outcomes.includes(code(name))),
      []
    )
  })
})

describe("all documents", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> }

  for (const file of documents) {
    const text = read(file)

    it(`${file}: every command is there`, () => {
      const commands = [...text.matchAll(/\bnpm (?:run ([\w:-]+)|(test|start)\b)/g)].map(
        ([, script, short]) => script ?? short ?? ""
      )
      assert.containsAllKeys(scripts, [...new Set(commands), "test"])
    })

    it(`${file}: every link leads somewhere`, () => {
      const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target)
      const headings = new Set(
        [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
          title
            .toLowerCase()
            .replace(/[^\w -]/g, "")
            .replaceAll(" ", "-")
        )
      )
      const broken = targets.filter((target) => {
        if (target.startsWith("https://")) return false
        if (target.startsWith("#")) return !headings.has(target.slice(1))
        return !existsSync(path.resolve(root, path.dirname(file), target.split("#")[0] ?? ""))
      })
      assert.deepStrictEqual(broken, [])
    })

    it(`${file}: names nothing of the machine it was written on`, () =>
      assert.notMatch(text, /(?<![\w.])\/(?:work|root|home)\b/))
  }
})

describe("docs/migrating.md", () => {
  const text = read("docs/migrating.md")

  it("has the chart's defaults", () => {
    const shown = rowsOf(text)
      .filter(([name = "", , more]) => /^`[A-Z_]+`$/.test(name) && more === undefined)
      .map(([name = "", value = ""]) => [name.replaceAll("`", ""), /^`([^`]*)`/.exec(value)?.[1]])
    assert.deepStrictEqual(Object.fromEntries(shown), {
      ...chartDefaults,
      TEMPORAL_RETENTION_PERIOD: CHART_RETENTION
    })
  })

  const traps = rowsOf(text).filter(([number = ""]) => /^\d+$/.test(number))
  it("goes through every trap", () =>
    assert.deepStrictEqual(
      traps.map(([number]) => Number(number)),
      Array.from({ length: 19 }, (_, index) => index + 1)
    ))

  for (const [number, , judgement = "", , test = ""] of traps) {
    it(`trap ${number} is judged, and its test is there`, () => {
      assert.include(["Same", "Different"], judgement)
      const [, file = "", title = ""] = /^(\S+) "(.+)"$/.exec(test) ?? []
      assert.include(read(file), title)
    })
  }
})

describe("docs/metrics.md", () => {
  it("lists the worker's own metrics, as the sources have them", () => {
    const sources = readdirSync(path.join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => read(`src/${file}`))
      .join("\n")
    const made = [...sources.matchAll(/(?:Metric\.(?:counter|gauge|histogram)|callSeconds)\(\s*"(\w+)"/g)]
    const listed = [...read("docs/metrics.md").matchAll(/^\| `olake_worker_(\w+)/gm)]
    assert.isAbove(made.length, 15)
    const namesOf = (found: ReadonlyArray<RegExpMatchArray>) => new Set(found.map(([, name]) => name))
    assert.deepStrictEqual(namesOf(listed), namesOf(made))
  })
})

for (const file of ["docs/reliability.md", "docs/claim.md"]) {
  describe(`rows of ${file}`, () => {
    const rows = rowsOf(read(file)).filter(
      (cells) => !["Fault", "Situation"].includes(cells[0] ?? "") && cells[0] !== "---"
    )

    it("has many rows", () => assert.isAbove(rows.length, 15))

    for (const cells of rows) {
      const [situation = ""] = cells
      const named = cells.at(-1) ?? ""
      it(`${situation}: its test is there, or it says that there is none`, () => {
        if (named.startsWith("not tested")) return
        const [, where = "", title = ""] = /^(\S+) "(.+)"$/.exec(named) ?? []
        assert.include(read(where), title)
      })
    }
  })
}

describe("docs/status.md", () => {
  const text = read("docs/status.md")

  it("shows an answer of the form that it has, real and whole", () => {
    const [, answer = ""] = /```json\n(.+)\n```/.exec(text) ?? []
    const { runs } = Schema.decodeUnknownSync(JobsDocument, { onExcessProperty: "error" })(JSON.parse(answer))
    assert.deepStrictEqual(
      runs.map(({ state }) => state),
      ["active", "failed"]
    )
  })

  it("explains every field, state and phase", () => {
    const explained = rowsOf(text).join()
    const names = [
      ...Object.keys(JobsDocument.fields),
      ...Object.keys(library.RunDocument.fields),
      ...states,
      ...phases
    ]
    assert.deepStrictEqual(
      names.filter((name) => !explained.includes(code(name))),
      []
    )
  })
})
