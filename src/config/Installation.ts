/**
 * Which of OLake's installations this is. Where OLAKE_CALLBACK_URL is set, it is the chart that installs the Go worker of
 * olake-helm: what that chart leaves unset has then the Go worker's defaults (worker/constants/config/config.go). Pure.
 */
import { flag } from "./Setting.ts"
import type { Lookup } from "./Load.ts"

/** By variable; TEMPORAL_NAMESPACE and TEMPORAL_TASK_QUEUE count only beside TEMPORAL_EXTERNAL=true. */
export const chartDefaults: Readonly<Record<string, string>> = {
  TEMPORAL_ADDRESS: "temporal:7233",
  TEMPORAL_NAMESPACE: "default",
  TEMPORAL_TASK_QUEUE: "OLAKE_DOCKER_TASK_QUEUE",
  DB_HOST: "postgresql",
  DB_PORT: "5432",
  DB_NAME: "postgres",
  DB_USER: "temporal",
  DB_PASSWORD: "temporal",
  JOB_STORAGE_PROBE: "true",
  LOG_FORMAT: "console",
  LOG_RETENTION_PERIOD: "30",
  OLAKE_KEEP_UNMAPPED_AWAY: "true"
}

/** How long that chart's own Temporal keeps closed runs. */
export const CHART_RETENTION = "168h"

const EXTERNAL_ONLY = ["TEMPORAL_NAMESPACE", "TEMPORAL_TASK_QUEUE"]

const textOf = (lookup: Lookup, variable: string): string => (lookup(variable) ?? "").trim()

export interface Installation {
  /** The chart of the second contract; without it, the first's. */
  readonly isChart: boolean
  readonly lookup: Lookup
  readonly warnings: ReadonlyArray<string>
}

export const installationOf = (lookup: Lookup): Installation => {
  if (textOf(lookup, "OLAKE_CALLBACK_URL") === "") return { isChart: false, lookup, warnings: [] }
  const isExternal = flag.parse(textOf(lookup, "TEMPORAL_EXTERNAL")) === true
  const ignored = isExternal
    ? []
    : EXTERNAL_ONLY.filter((variable) => !["", chartDefaults[variable]].includes(textOf(lookup, variable)))
  const defaults: Readonly<Record<string, string>> = {
    ...chartDefaults,
    ...(isExternal ? {} : { TEMPORAL_RETENTION_PERIOD: CHART_RETENTION })
  }
  return {
    isChart: true,
    lookup: (variable) => {
      const own = ignored.includes(variable) ? undefined : lookup(variable)
      return own === undefined || own.trim() === "" ? defaults[variable] : own
    },
    warnings: ignored.map(
      (variable) =>
        `${variable}: counts only beside TEMPORAL_EXTERNAL=true, as with the worker before; ${chartDefaults[variable]} is used`
    )
  }
}
