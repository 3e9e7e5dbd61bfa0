/**
 * Where jobs may run, as it is now: from the environment, and from the ConfigMap that the chart keeps it in, whose
 * changes take effect without a restart. What cannot be read changes nothing.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { WorkerConfig } from "../Config.ts"
import type { ByJob } from "../config/ByJob.ts"
import { parseMapping } from "../config/JobMapping.ts"
import { parseProfiles } from "../config/JobProfiles.ts"
import { type ConfigMapJson, KubernetesClient } from "./KubernetesClient.ts"
import * as ListWatch from "./ListWatch.ts"
import type { Rules } from "./PodPlacement.ts"

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
      let mapping = jobs.mapping
      let profiles = jobs.profiles
      /** The texts that are in force, by key; one that says the same again is no change. */
      const known = new Map<string, string>()

      /** The entries of a key's text, where it has changed to something that holds. */
      const changed = <A>(
        key: string,
        text: string | undefined,
        parse: (text: string) => ByJob<A> | undefined
      ): Effect.Effect<ReadonlyMap<number, A> | undefined> =>
        Effect.gen(function* () {
          if (text === undefined || text.trim() === "" || known.get(key) === text) return undefined
          known.set(key, text)
          const parsed = parse(text)
          for (const problem of parsed?.problems ?? [])
            yield* Effect.logWarning(`ConfigMap ${name}: ${problem}`)
          const isBroken = parsed === undefined || (parsed.entries.size === 0 && parsed.problems.length > 0)
          if (isBroken) {
            yield* Effect.logWarning(
              `ConfigMap ${name}: ${key} holds no valid entry${parsed === undefined ? ", for it is no JSON object" : ""}; what held before still does`
            )
            return undefined
          }
          yield* Effect.logInfo(`ConfigMap ${name}: ${key} has ${parsed.entries.size} entries now`)
          return parsed.entries
        })

      const take = Effect.fnUntraced(function* ({ metadata, data = {} }: ConfigMapJson) {
        if (metadata.name !== name) return
        mapping = (yield* changed("OLAKE_JOB_MAPPING", data["OLAKE_JOB_MAPPING"], parseMapping)) ?? mapping
        profiles =
          (yield* changed("OLAKE_JOB_PROFILES", data["OLAKE_JOB_PROFILES"], parseProfiles)) ?? profiles
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
          onFrame: ({ type, object }) =>
            type === "ADDED" || type === "MODIFIED" ? take(object) : Effect.void,
          onBreak: () => Effect.void
        })
      )

      return SchedulingRules.of({ current: Effect.sync(() => ({ mapping, profiles, keepUnmappedAway })) })
    })
  )
}
