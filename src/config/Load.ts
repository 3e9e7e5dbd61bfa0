/** Reads settings from a lookup, collecting every problem instead of stopping at the first. Pure. */
import * as Schema from "effect/Schema"
import type { Setting } from "./Setting.ts"

/** All that is wrong with the environment, one line per variable. */
export class ConfigProblems extends Schema.TaggedError<ConfigProblems>()("ConfigProblems", {
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return ["The configuration is not valid:", ...this.problems.map((problem) => `- ${problem}`)].join("\n")
  }
}

export type Lookup = (variable: string) => string | undefined

type AnySetting = Setting<unknown>
export type Group = Readonly<Record<string, AnySetting>>
export type Values<G> = { readonly [K in keyof G]: G[K] extends Setting<infer A> ? A : never }

const given = (
  setting: AnySetting,
  lookup: Lookup
): { readonly variable: string; readonly value: string } | undefined => {
  for (const variable of [setting.variable, ...setting.aliases]) {
    const value = lookup(variable) ?? ""
    // An empty value is how charts leave a variable out.
    if (value.trim() !== "") return { variable, value: setting.verbatim ? value : value.trim() }
  }
  return undefined
}

/** Kubernetes sets `DB_PORT=tcp://…` where a Service is called `db`. */
const isServiceLink = (value: string): boolean => /^tcp:\/\/\S+:\d+$/.test(value)

const complaint = (setting: AnySetting, variable: string, value: string): string => {
  const shown = setting.secret ? "" : `, got ${JSON.stringify(value.slice(0, 80))}`
  const hint = isServiceLink(value)
    ? ". Kubernetes set it for a Service of that name; set it yourself, or enableServiceLinks: false on the worker's Pod"
    : ""
  return `${variable}: expected ${setting.expects}${shown}${hint}`
}

/** Values of one group; problems are added to `problems`. A value with a problem is undefined: use none then. */
export const readGroup = <G extends Group>(group: G, lookup: Lookup, problems: Array<string>): Values<G> => {
  const values: Record<string, unknown> = {}
  for (const [key, setting] of Object.entries(group)) {
    const found = given(setting, lookup)
    if (found === undefined && setting.required) {
      const names = [setting.variable, ...setting.aliases].join(" or ")
      problems.push(`${names}: is required but not set (${setting.meaning}; ${setting.expects})`)
      continue
    }
    if (found === undefined && setting.default === undefined) {
      values[key] = undefined
      continue
    }
    const value = found?.value ?? setting.default ?? ""
    values[key] = setting.parse(value)
    if (values[key] === undefined)
      problems.push(complaint(setting, found?.variable ?? setting.variable, value))
  }
  return values as Values<G> // SAFETY: each key was read by its own setting, and problems forbid its use
}
