/** The chart's values as a table, from values.yaml and the comments in it (`# -- what it is`). Pure. */
import { loadYaml } from "@kubernetes/client-node"

const BEGIN = "<!-- values: npm run chart-readme writes this -->"
const END = "<!-- /values -->"

interface Described {
  readonly path: ReadonlyArray<string>
  readonly meaning: string
}

/** Each key that has a comment of its own right above it. */
const describedIn = (text: string): ReadonlyArray<Described> => {
  const described: Array<Described> = []
  const parents: Array<{ readonly indent: number; readonly key: string }> = []
  let comment: Array<string> = []
  for (const line of text.split("\n")) {
    const [, begun, continued] = /^\s*# (?:-- (.*)|(.*))$/.exec(line) ?? []
    if (begun !== undefined) comment = [begun]
    else if (continued !== undefined) comment.push(continued)
    else {
      const [, space = "", key] = /^( *)([\w.-]+):/.exec(line) ?? []
      if (key !== undefined) {
        while ((parents.at(-1)?.indent ?? -1) >= space.length) parents.pop()
        parents.push({ indent: space.length, key })
        if (comment.length > 0)
          described.push({ path: parents.map((parent) => parent.key), meaning: comment.join(" ") })
      }
      comment = []
    }
  }
  return described
}

const valueAt = (values: unknown, path: ReadonlyArray<string>): unknown => {
  let value = values
  for (const key of path)
    value =
      typeof value === "object" && value !== null
        ? Object.entries(value).find(([k]) => k === key)?.[1]
        : undefined
  return value
}

const cell = (text: string): string => text.replaceAll("|", "\\|")

const tableOf = (text: string): string => {
  const values: unknown = loadYaml(text)
  const rows = describedIn(text).map(
    ({ path, meaning }) =>
      `| \`${path.join(".")}\` | \`${cell(JSON.stringify(valueAt(values, path)))}\` | ${cell(meaning)} |`
  )
  return ["| Value | Default | Meaning |", "| --- | --- | --- |", ...rows].join("\n")
}

/** The chart's README with its table as values.yaml has it. */
export const withTable = (readme: string, values: string): string => {
  const [before = "", rest = ""] = readme.split(BEGIN)
  const [, after = ""] = rest.split(END)
  return `${before}${BEGIN}\n\n${tableOf(values)}\n\n${END}${after}`
}
