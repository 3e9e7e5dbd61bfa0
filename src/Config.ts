/** The worker's settings. The only place that reads the environment; each variable stands in config/settings.ts. */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { hostname } from "node:os"
import type { JobMapping } from "./config/JobMapping.ts"
import type { JobProfiles } from "./config/JobProfiles.ts"
import { ConfigProblems, type Lookup, readGroup, type Values } from "./config/Load.ts"
import { installationOf } from "./config/Installation.ts"
import { otherKnown, settings } from "./config/settings.ts"
import { prefixes, warningsFor } from "./config/UnknownVariables.ts"

type Raw = { readonly [G in keyof typeof settings]: Values<(typeof settings)[G]> }

export interface Settings extends Omit<Raw, "jobs"> {
  readonly jobs: Omit<Raw["jobs"], "mapping" | "profiles"> & {
    readonly mapping: JobMapping
    readonly profiles: JobProfiles
  }
  /** Which contract a bare job id belongs to, in schedules that name nothing else. */
  readonly bareJobId: "first" | "second"
  /** What is odd but no reason not to start; for the log. */
  readonly warnings: ReadonlyArray<string>
}

/** One row of README's table. */
export const settingsTable = Object.values(settings).flatMap((group) =>
  Object.values(group).map(({ variable, aliases, required, default: fallback, secret, meaning }) => ({
    variable,
    aliases,
    required,
    default: fallback,
    secret,
    meaning
  }))
)

const known = [...settingsTable.flatMap(({ variable, aliases }) => [variable, ...aliases]), ...otherKnown]

/** 500m and 512Mi as numbers, to be compared with each other. */
const amount = (quantity: string): number => {
  const [, digits, unit = ""] = /^([\d.]+)(\w*)$/.exec(quantity) ?? []
  const power = "kMGTPE".indexOf(unit[0] ?? " ") + 1 || "KMGTPE".indexOf(unit[0] ?? " ") + 1
  return unit === "m" ? Number(digits) / 1000 : Number(digits) * (unit.endsWith("i") ? 1024 : 1000) ** power
}

const crossProblems = (raw: Raw): ReadonlyArray<string> => [
  ...limitProblems(raw),
  ...certificateProblems(raw)
]

const certificateProblems = ({ temporal: { clientCert, clientKey } }: Raw): ReadonlyArray<string> => {
  if ((clientCert === undefined) === (clientKey === undefined)) return []
  const missing = clientCert === undefined ? "TEMPORAL_TLS_CLIENT_CERT_PATH" : "TEMPORAL_TLS_CLIENT_KEY_PATH"
  return [`${missing}: is required beside the other file of the pair`]
}

const limitProblems = ({ jobs }: Raw): ReadonlyArray<string> =>
  (
    [
      ["JOB_CPU_LIMIT", jobs.cpuLimit, "JOB_CPU_REQUEST", jobs.cpuRequest],
      ["JOB_MEMORY_LIMIT", jobs.memoryLimit, "JOB_MEMORY_REQUEST", jobs.memoryRequest]
    ] as const
  ).flatMap(([limitName, limit, requestName, request]) =>
    limit !== undefined && request !== undefined && amount(limit) < amount(request)
      ? [`${limitName}: expected at least ${requestName} (${request}), got "${limit}"`]
      : []
  )

/** A line end that came with `echo` into a Secret looks like a wrong password to Postgres. */
const paddingWarnings = ({ database }: Raw): ReadonlyArray<string> => {
  const password = Redacted.value(database.password)
  return password === password.trim()
    ? []
    : ["DB_PASSWORD: begins or ends with white space, which is taken as part of it"]
}

/** Reads every variable; `names` are all that are set, for warnings. */
export const fromLookup = (environment: Lookup, names: ReadonlyArray<string>): Settings | ConfigProblems => {
  const { isChart, lookup, warnings } = installationOf(environment)
  const problems: Array<string> = []
  const groups = Object.entries(settings).map(
    ([key, group]) => [key, readGroup(group, lookup, problems)] as const
  )
  const raw = Object.fromEntries(groups) as Raw // SAFETY: the keys and groups of `settings`, each read as itself
  problems.push(...crossProblems(raw))
  if (problems.length > 0) return new ConfigProblems({ problems })
  const { mapping, profiles, serviceAccountName, ...jobs } = raw.jobs
  return {
    ...raw,
    kubernetes: { ...raw.kubernetes, podName: raw.kubernetes.podName || hostname() },
    jobs: {
      ...jobs,
      // Kubernetes' own default account is none that somebody chose.
      serviceAccountName: serviceAccountName === "default" ? undefined : serviceAccountName,
      mapping: mapping?.entries ?? new Map(),
      profiles: profiles?.entries ?? new Map()
    },
    bareJobId: isChart ? "second" : "first",
    warnings: [
      ...warnings,
      ...(mapping?.problems ?? []),
      ...(profiles?.problems ?? []),
      ...paddingWarnings(raw),
      ...warningsFor(names, known)
    ]
  }
}

type DeepPartial<A> = {
  readonly [K in keyof A]?: A[K] extends string ? A[K] : Partial<A[K]>
}

/** Required settings of a worker that a host program or a test configures itself. */
const STAND_INS: Readonly<Record<string, string>> = {
  TEMPORAL_HOST_PORT: "127.0.0.1:7233",
  TEMPORAL_NAMESPACE: "default",
  TEMPORAL_TASK_QUEUE: "olake",
  DB_HOST: "127.0.0.1",
  DB_PORT: "5432",
  DB_NAME: "olake",
  DB_USER: "olake",
  DB_PASSWORD: "olake"
}

/** Defaults, with what is given on top. */
export const make = (given: DeepPartial<Omit<Settings, "warnings">> = {}): Settings => {
  const base = fromLookup((variable) => STAND_INS[variable], [])
  if (base instanceof ConfigProblems) throw base
  const groups = Object.keys(settings).map((key) => {
    const group = key as keyof typeof settings // SAFETY: a key of that very object
    return [group, { ...base[group], ...given[group] }] as const
  })
  return { ...base, bareJobId: given.bareJobId ?? base.bareJobId, ...Object.fromEntries(groups) }
}

/** Names of the variables that are set below a prefix; the provider knows them as a tree split at each `_`. */
const namesUnder = Effect.fnUntraced(function* (
  provider: ConfigProvider.ConfigProvider,
  path: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyArray<string>> {
  const node = yield* Effect.orDie(provider.load([...path]))
  const own = node?.value === undefined ? [] : [path.join("_")]
  const children = node?._tag === "Record" ? [...node.keys] : []
  const below = yield* Effect.forEach(children, (key) => namesUnder(provider, [...path, key]))
  return [...own, ...below.flat()]
})

export class WorkerConfig extends Context.Service<WorkerConfig, Settings>()("olake-worker/Config") {
  static readonly layer = (given: DeepPartial<Omit<Settings, "warnings">> = {}) =>
    Layer.sync(WorkerConfig, () => make(given))

  static readonly layerFromEnv = Layer.effect(
    WorkerConfig,
    Effect.gen(function* () {
      const provider = yield* ConfigProvider.ConfigProvider
      const found = new Map<string, string>()
      for (const variable of known) {
        const node = yield* Effect.orDie(provider.load([variable]))
        if (node?.value !== undefined) found.set(variable, node.value)
      }
      const names = yield* Effect.forEach(prefixes, (prefix) => namesUnder(provider, [prefix]))
      const result = fromLookup((variable) => found.get(variable), names.flat())
      return result instanceof ConfigProblems ? yield* result : result
    })
  )
}
