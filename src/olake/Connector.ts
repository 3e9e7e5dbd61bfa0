/** OLake's connector command line: arguments and config files of an operation. Pure. */
import * as Redacted from "effect/Redacted"
import type { DiscoverParams, TestParams } from "./ActivityParams.ts"
import type { JobFile } from "./Job.ts"
import { MOUNT_PATH, STATE_FILE, STREAMS_FILE } from "./Workdir.ts"

/** The variable that carries the encryption key into the container; Kubernetes expands `$(NAME)` in arguments. */
export const SECRET_KEY_VARIABLE = "OLAKE_SECRET_KEY"
const SECRET_KEY_REFERENCE = `$(${SECRET_KEY_VARIABLE})`

export interface CommandLine {
  readonly args: ReadonlyArray<string>
  readonly secretKey: Redacted.Redacted | undefined
  readonly files: ReadonlyArray<JobFile>
}

const inMount = (file: string): string => `${MOUNT_PATH}/${file}`

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

export const discover = (params: DiscoverParams, key: Redacted.Redacted | undefined): CommandLine => {
  const known = params.StreamsConfig !== ""
  return {
    args: [
      "discover",
      "--config",
      inMount("config.json"),
      ...(known ? ["--catalog", inMount(STREAMS_FILE)] : []),
      ...withKey(key)
    ],
    secretKey: key,
    files: [
      { name: "config.json", content: params.Config },
      ...(known ? [{ name: STREAMS_FILE, content: params.StreamsConfig }] : [])
    ]
  }
}

export const check = (params: TestParams, key: Redacted.Redacted | undefined): CommandLine => ({
  args: ["check", `--${params.Flag}`, inMount("config.json"), ...withKey(key)],
  secretKey: key,
  files: [{ name: "config.json", content: params.Config }]
})

/** What a sync needs from the job's row; JSON texts exactly as the database holds them. */
export interface SyncConfigs {
  readonly source: string
  readonly destination: string
  readonly streams: string
  readonly state: string
}

/** OLake's UI writes "" or null for a job that has never run. */
export const initialState = (state: string): string =>
  ["", "null"].includes(state.trim().toLowerCase()) ? "{}" : state

export const sync = (configs: SyncConfigs, key: Redacted.Redacted | undefined): CommandLine => ({
  args: [
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
  secretKey: key,
  files: [
    { name: "config.json", content: configs.source },
    { name: STREAMS_FILE, content: configs.streams },
    { name: "writer.json", content: configs.destination },
    { name: STATE_FILE, content: initialState(configs.state), keepExisting: true }
  ]
})
