/** OLake's connector command line: commands and flags as the published images take them. */
import * as path from "node:path"

export const COMMANDS = ["spec", "check", "discover", "sync"] as const
export type Command = (typeof COMMANDS)[number]

const VALUE_FLAGS = [
  "config",
  "destination",
  "destination-type",
  "catalog",
  "streams",
  "state",
  "destination-buffer-size",
  "max-discover-threads",
  "encryption-key",
  "destination-database-prefix",
  "timeout",
  "difference",
  "available-streams",
  "selected-streams",
  "difference-available-streams",
  "difference-selected-streams"
] as const
const SWITCHES = ["no-save", "convert-streams"] as const

export type Flag = (typeof VALUE_FLAGS)[number] | (typeof SWITCHES)[number]

export interface CommandLine {
  readonly command: Command
  readonly flags: Readonly<Partial<Record<Flag, string>>>
  /** The folder of --config, else of --destination, else the working folder: logs and results go there. */
  readonly folder: string
}

const isOneOf = <A extends string>(all: ReadonlyArray<A>, name: string): name is A =>
  all.some((one) => one === name)

/** Undefined for an unknown command or flag: OLake's own exits 1 then, without a word. */
export const parse = (argv: ReadonlyArray<string>): CommandLine | undefined => {
  const flags: Partial<Record<Flag, string>> = {}
  const words: Array<string> = []
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? ""
    const flag = /^--([^=]+)(?:=(.*))?$/s.exec(word)
    if (flag === null) {
      words.push(word)
      continue
    }
    const name = flag[1] ?? ""
    if (isOneOf(SWITCHES, name)) {
      flags[name] = flag[2] ?? "true"
    } else if (isOneOf(VALUE_FLAGS, name)) {
      const value = flag[2] ?? argv[++i]
      if (value === undefined) return undefined
      flags[name === "streams" ? "catalog" : name] = value
    } else {
      return undefined
    }
  }
  const [command, ...rest] = words
  if (command === undefined || rest.length > 0 || !isOneOf(COMMANDS, command)) return undefined
  const anchor = flags.config ?? flags.destination
  return { command, flags, folder: anchor === undefined ? "." : path.dirname(anchor) }
}
