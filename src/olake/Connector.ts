/** OLake's connector command line: arguments and config files of an operation. Pure. */
import * as Redacted from "effect/Redacted"
import { type Catalog, filesOf, withCatalog, without } from "./Catalog.ts"
import type { CheckRequest, DiscoverRequest } from "./contract/Request.ts"
import type { JobFile } from "./Job.ts"
import { inMount, STATE_FILE, STREAMS_FILE } from "./Workdir.ts"

/** The variable that carries the encryption key into the container; Kubernetes expands `$(NAME)` in arguments. */
export const SECRET_KEY_VARIABLE = "OLAKE_SECRET_KEY"
const SECRET_KEY_REFERENCE = `$(${SECRET_KEY_VARIABLE})`

export interface CommandLine {
  readonly args: ReadonlyArray<string>
  readonly secretKey: Redacted.Redacted | undefined
  readonly files: ReadonlyArray<JobFile>
}

const withKey = (key: Redacted.Redacted | undefined): ReadonlyArray<string> =>
  key === undefined ? [] : ["--encryption-key", SECRET_KEY_REFERENCE]

/** `$(NAME)` in a request's own text must reach the connector as it is. */
export const escapeArgument = (arg: string): string => arg.replaceAll("$(", "$$$$(")

/**
 * Takes a literal encryption key out of arguments that arrived with a request, so that it stands
 * in no Pod object; both `--encryption-key K` and `--encryption-key=K`.
 */
export const liftSecretKey = (
  args: ReadonlyArray<string>
): { readonly args: ReadonlyArray<string>; readonly secretKey: Redacted.Redacted | undefined } => {
  const lifted: Array<string> = []
  let secretKey: Redacted.Redacted | undefined
  let valueFollows = false
  for (const arg of args) {
    const inline = /^--encryption-key=(.*)$/s.exec(arg)?.[1]
    if (valueFollows || inline !== undefined) {
      const value = inline ?? arg
      if (value !== SECRET_KEY_REFERENCE) secretKey = Redacted.make(value)
      lifted.push(inline === undefined ? SECRET_KEY_REFERENCE : `--encryption-key=${SECRET_KEY_REFERENCE}`)
      valueFollows = false
    } else {
      lifted.push(escapeArgument(arg))
      valueFollows = arg === "--encryption-key"
    }
  }
  return { args: lifted, secretKey }
}

export const discover = (
  { config, streams }: Pick<DiscoverRequest, "config" | "streams">,
  key: Redacted.Redacted | undefined
): CommandLine => {
  const known = streams !== ""
  return {
    args: [
      "discover",
      "--config",
      inMount("config.json"),
      ...(known ? ["--catalog", inMount(STREAMS_FILE)] : []),
      ...withKey(key)
    ],
    secretKey: key,
    files: [configFile("config.json", config), ...(known ? [{ name: STREAMS_FILE, content: streams }] : [])]
  }
}

export const check = (
  { config, flag }: Pick<CheckRequest, "config" | "flag">,
  key: Redacted.Redacted | undefined
): CommandLine => ({
  args: ["check", `--${flag}`, inMount("config.json"), ...withKey(key)],
  secretKey: key,
  files: [configFile("config.json", config)]
})

/** What a sync needs from the job's row besides its state; JSON texts. */
export interface SyncConfigs {
  readonly source: string
  readonly destination: string
  readonly catalog: Catalog
}

/** OLake's UI writes "" or null for a job that has never run. */
export const initialState = (state: string): string =>
  ["", "null"].includes(state.trim().toLowerCase()) ? "{}" : state

/** Nothing to go on from. */
export const isEmptyState = (state: string): boolean => initialState(state).replace(/\s/g, "") === "{}"

/** @param key for the connector, which decrypts by itself */
export const sync = (configs: SyncConfigs, key: Redacted.Redacted | undefined): CommandLine => ({
  args: withCatalog(
    [
      "sync",
      "--config",
      inMount("config.json"),
      "--catalog",
      inMount(STREAMS_FILE),
      "--destination",
      inMount("writer.json"),
      "--state",
      inMount(STATE_FILE),
      ...withKey(key)
    ],
    configs.catalog.form
  ),
  secretKey: key,
  files: [
    configFile("config.json", configs.source),
    ...filesOf(configs.catalog),
    configFile("writer.json", configs.destination)
  ]
})

/** Files of a writer that may hold credentials in clear text: gone when their run is. */
const PRIVATE_FILES: ReadonlyArray<string> = ["config.json", "destination.json", "source.json", "writer.json"]

/**
 * Whether the file may hold a run's credentials: a config, or a draft of one that was never put into its place.
 * @param name a file's name in the directory of a writer
 */
export const holdsCredentials = (name: string): boolean =>
  PRIVATE_FILES.some((file) => name === file || (name.startsWith(`${file}.`) && name.endsWith(".tmp")))

/** A file of a request; private where it may hold credentials. */
export const configFile = (name: string, content: string): JobFile => ({
  name,
  content,
  isPrivate: PRIVATE_FILES.includes(name)
})

/** Arguments of syncs in OLake's UI (server/internal/services/temporal); what older schedules leave out. */
export const SYNC_ARGS: ReadonlyArray<string> = [
  "sync",
  "--config",
  inMount("source.json"),
  "--destination",
  inMount("destination.json"),
  "--catalog",
  inMount(STREAMS_FILE),
  "--state",
  inMount(STATE_FILE)
]

/** The same for a clear-destination. */
export const CLEAR_ARGS: ReadonlyArray<string> = [
  "clear-destination",
  "--streams",
  inMount(STREAMS_FILE),
  "--state",
  inMount(STATE_FILE),
  "--destination",
  inMount("destination.json")
]

/**
 * A sync of the second contract. Without `--state` a connector begins anew in its latest format; an empty one it takes for an
 * old format's.
 * @param hasState whether the connector begins with a state
 */
export const requestedSync = (
  args: ReadonlyArray<string>,
  configs: SyncConfigs,
  hasState: boolean
): CommandLine => ({
  ...liftSecretKey(withCatalog(hasState ? args : without(args, "--state"), configs.catalog.form)),
  files: [
    configFile("source.json", configs.source),
    configFile("destination.json", configs.destination),
    ...filesOf(configs.catalog)
  ]
})

/** A clear-destination. */
export const requestedClear = (
  args: ReadonlyArray<string>,
  configs: Pick<SyncConfigs, "destination" | "catalog">
): CommandLine => ({
  ...liftSecretKey(withCatalog(args, configs.catalog.form)),
  files: [configFile("destination.json", configs.destination), ...filesOf(configs.catalog)]
})
