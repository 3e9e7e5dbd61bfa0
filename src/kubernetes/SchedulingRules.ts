/**
 * Where jobs may run, as it is now: from the environment, and from the ConfigMap that the chart keeps it in, whose
 * changes take effect without a restart. What cannot be read changes nothing.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Layer from "effect/Layer"
import { WorkerConfig } from "../Config.ts"
import type { ByJob } from "../config/ByJob.ts"
import { parseMapping } from "../config/JobMapping.ts"
import { parseProfiles } from "../config/JobProfiles.ts"
import { type ConfigMapJson, KubernetesClient } from "./api/KubernetesClient.ts"
import type { KubernetesError } from "./api/KubernetesError.ts"
import * as ListWatch from "./api/ListWatch.ts"
import type { Rules } from "./pod/PodPlacement.ts"

/** A right that is missing is rarely granted while one waits for it. */
const UNTIL_ASKED_AGAIN = Duration.minutes(5)

/** One key of the ConfigMap: what holds of it, beginning with the environment's. */
const latest = <A>(
  configMap: string,
  key: string,
  environment: ReadonlyMap<number, A>,
  parse: (text: string) => ByJob<A> | undefined
) => {
  let current = environment
  let lastText: string | undefined

  /** Undefined where nothing of the text holds. */
  const read = Effect.fnUntraced(function* (text: string) {
    const parsed = parse(text)
    for (const problem of parsed?.problems ?? [])
      yield* Effect.logWarning(`ConfigMap ${configMap}: ${problem}`)
    if (parsed !== undefined && (parsed.entries.size > 0 || parsed.problems.length === 0))
      return parsed.entries
    const why = parsed === undefined ? ", for it is no JSON object" : ""
    yield* Effect.logWarning(
      `ConfigMap ${configMap}: ${key} holds no valid entry${why}; what held before still does`
    )
    return undefined
  })

  return {
    current: () => current,
    take: Effect.fnUntraced(function* (text: string | undefined) {
      const given = text?.trim() === "" ? undefined : text
      if (given === lastText) return
      lastText = given
      const next = given === undefined ? environment : yield* read(given)
      if (next === undefined || Equal.equals(next, current)) return
      current = next
      const from = given === undefined ? ", the environment's" : ""
      yield* Effect.logInfo(`ConfigMap ${configMap}: ${key} has ${next.size} entries now${from}`)
    })
  }
}

export class SchedulingRules extends Context.Service<
  SchedulingRules,
  { readonly current: Effect.Effect<Rules> }
>()("olake-worker/kubernetes/SchedulingRules") {
  static readonly layer = Layer.effect(
    SchedulingRules,
    Effect.gen(function* () {
      const kubernetes = yield* KubernetesClient
      const { jobs } = yield* WorkerConfig
      const { keepUnmappedAway, rulesConfigMap: name } = jobs
      const mapping = latest(name, "OLAKE_JOB_MAPPING", jobs.mapping, parseMapping)
      const profiles = latest(name, "OLAKE_JOB_PROFILES", jobs.profiles, parseProfiles)
      let isRefused = false

      const take = Effect.fnUntraced(function* ({ metadata, data = {} }: ConfigMapJson) {
        if (metadata.name !== name) return
        yield* mapping.take(data["OLAKE_JOB_MAPPING"])
        yield* profiles.take(data["OLAKE_JOB_PROFILES"])
      })

      const refused = Effect.fnUntraced(function* (error: KubernetesError) {
        if (error.status !== 403) return undefined
        if (!isRefused) {
          isRefused = true
          yield* Effect.logWarning(
            `no right to follow ConfigMap ${name}: where jobs run changes with a restart only. Grant list and watch on configmaps. ${error.message}`
          )
        }
        return UNTIL_ASKED_AGAIN
      })

      yield* Effect.forkScoped(
        ListWatch.follow<ConfigMapJson>({
          what: "ConfigMaps",
          list: Effect.gen(function* () {
            const { items, resourceVersion } = yield* kubernetes.listConfigMap(name)
            yield* Effect.forEach(items, take, { discard: true })
            return resourceVersion
          }),
          watch: (version, timeout) => kubernetes.watchConfigMap(name, version, timeout),
          // A ConfigMap that is deleted leaves what it said in force, until the next one.
          onFrame: ({ type, object }) => {
            isRefused = false
            return type === "ADDED" || type === "MODIFIED" ? take(object) : Effect.void
          },
          onBreak: refused
        })
      )

      return SchedulingRules.of({
        current: Effect.sync(() => ({
          mapping: mapping.current(),
          profiles: profiles.current(),
          keepUnmappedAway
        }))
      })
    })
  )
}
