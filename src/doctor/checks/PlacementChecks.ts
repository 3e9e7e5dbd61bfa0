/** Where jobs may run: what the ConfigMap says of it, and whether there are such nodes. */
import * as Effect from "effect/Effect"
import type { WorkerConfig } from "../../Config.ts"
import { parseMapping } from "../../config/JobMapping.ts"
import { parseProfiles } from "../../config/JobProfiles.ts"
import { type ConfigMapJson, KubernetesClient } from "../../kubernetes/api/KubernetesClient.ts"
import { fits } from "./NodeMatch.ts"
import { placementOf, type Rules } from "../../kubernetes/pod/PodPlacement.ts"
import { type Check, ok, problem, skipped, type Verdict } from "../Check.ts"

type Settings = WorkerConfig["Service"]

/** Undefined where it is not there, or says nothing. */
const readConfigMap = Effect.fnUntraced(function* ({ jobs: { rulesConfigMap } }: Settings) {
  const { listConfigMap } = yield* KubernetesClient
  const { items } = yield* listConfigMap(rulesConfigMap)
  return items.find(({ metadata }) => metadata.name === rulesConfigMap)
})

const given = (configMap: ConfigMapJson | undefined, key: string): string | undefined => {
  const text = configMap?.data?.[key]
  return text?.trim() === "" ? undefined : text
}

/** What holds of the text; the environment's where it says nothing, or nothing valid. */
const parsed = (configMap: ConfigMapJson | undefined) => {
  const mapping = given(configMap, "OLAKE_JOB_MAPPING")
  const profiles = given(configMap, "OLAKE_JOB_PROFILES")
  return {
    OLAKE_JOB_MAPPING:
      mapping === undefined ? undefined : (parseMapping(mapping) ?? ("no JSON object" as const)),
    OLAKE_JOB_PROFILES:
      profiles === undefined ? undefined : (parseProfiles(profiles) ?? ("no JSON object" as const))
  }
}

const judgeConfigMap = (settings: Settings, configMap: ConfigMapJson | undefined): Verdict => {
  const name = settings.jobs.rulesConfigMap
  if (configMap === undefined) return ok(`there is no ConfigMap ${name}: the environment's rules hold`)
  const problems = Object.entries(parsed(configMap)).flatMap(([key, value]) =>
    value === undefined
      ? []
      : value === "no JSON object"
        ? [`${key}: is no JSON object; what held before still does`]
        : value.problems
  )
  return problems.length === 0
    ? ok(`all entries of ConfigMap ${name} are valid`)
    : problem(problems.join("\n"), `kubectl -n ${settings.kubernetes.namespace} edit configmap ${name}`)
}

export const configMapCheck = (settings: Settings, needs: string): Check<KubernetesClient> => {
  const { jobs, kubernetes } = settings
  const see = `kubectl -n ${kubernetes.namespace} get configmap ${jobs.rulesConfigMap} -o yaml`
  return {
    name: "kubernetes.configmap",
    needs,
    run: readConfigMap(settings).pipe(
      Effect.map((configMap) => judgeConfigMap(settings, configMap)),
      Effect.catchIf(
        ({ status }) => status === 403,
        () => Effect.succeed(skipped(`may not read ConfigMap ${jobs.rulesConfigMap}`, see))
      )
    ),
    remedy: see
  }
}

const rulesOf = ({ jobs }: Settings, configMap: ConfigMapJson | undefined): Rules => {
  const { OLAKE_JOB_MAPPING: mapping, OLAKE_JOB_PROFILES: profiles } = parsed(configMap)
  return {
    mapping: mapping === undefined || mapping === "no JSON object" ? jobs.mapping : mapping.entries,
    profiles: profiles === undefined || profiles === "no JSON object" ? jobs.profiles : profiles.entries,
    keepUnmappedAway: jobs.keepUnmappedAway
  }
}

const labelsOf = (selector: Readonly<Record<string, string>> = {}): string =>
  Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(",")

/** Each job with an entry of its own, and one without. */
const jobsOf = ({ mapping, profiles }: Rules): ReadonlyArray<number> =>
  [...new Set([0, ...mapping.keys(), ...profiles.keys()])].toSorted((a, b) => a - b)

export const nodesCheck = (settings: Settings, needs: string): Check<KubernetesClient> => ({
  name: "kubernetes.nodes",
  needs,
  run: Effect.gen(function* () {
    const nodes = yield* (yield* KubernetesClient).listNodes
    const configMap = yield* readConfigMap(settings).pipe(Effect.orElseSucceed(() => undefined))
    const rules = rulesOf(settings, configMap)
    const homeless = jobsOf(rules).flatMap((jobId) => {
      const placement = placementOf({ operation: "sync", jobId }, rules)
      if (nodes.some((node) => fits(node, placement))) return []
      return [{ jobId, selector: labelsOf(placement.nodeSelector) }]
    })
    if (homeless.length === 0) return ok(`every job may run on some of ${nodes.length} nodes`)
    const lines = homeless.map(
      ({ jobId, selector }) =>
        `no node takes ${jobId === 0 ? "jobs without an entry" : `job ${jobId}`}${selector === "" ? "" : ` (${selector})`}`
    )
    const selector = homeless.find((one) => one.selector !== "")?.selector
    const label =
      selector === undefined ? "" : `kubectl label node NODE ${selector.replaceAll(",", " ")}; or `
    return problem(
      lines.join("\n"),
      `${label}correct OLAKE_JOB_PROFILES and OLAKE_JOB_MAPPING; kubectl get nodes --show-labels; taints: kubectl describe nodes`
    )
  }).pipe(
    Effect.catchIf(
      ({ status }) => status === 403,
      () =>
        Effect.succeed(
          skipped("may not list nodes (the worker itself need not)", "kubectl get nodes --show-labels")
        )
    )
  ),
  remedy: "kubectl get nodes"
})
