/** What is done to a soak: workers killed, Pods deleted, the API server frozen. All random, all bounded. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { whileFrozen } from "../cluster/node/Freeze.ts"
import { findRunning } from "../cluster/node/Processes.ts"
import type { ClusterWorld } from "../world/World.ts"
import type { Fleet } from "./Fleet.ts"

export interface Done {
  kills: number
  deletes: number
  freezes: number
}

const between = (least: number, most: number) =>
  Effect.map(Random.nextIntBetween(least, most + 1), (seconds) => `${seconds} seconds` as const)

/** Every 5 to 20 s one worker dies, without a word. */
export const killWorkers = (fleet: Fleet, done: Done) =>
  Effect.gen(function* () {
    while (true) {
      yield* Effect.sleep(yield* between(5, 20))
      yield* fleet.killOne
      done.kills += 1
    }
  })

interface PodList {
  readonly items: ReadonlyArray<{
    readonly metadata: {
      readonly name: string
      readonly deletionTimestamp?: string
      readonly annotations?: Readonly<Record<string, string>>
    }
    readonly status?: { readonly phase?: string }
  }>
}

/** Every few seconds a running Pod is deleted, as with kubectl; no run loses more than one that way. */
export const deletePods = ({ api, namespace }: ClusterWorld, done: Done) =>
  Effect.gen(function* () {
    const path = `/api/v1/namespaces/${namespace}/pods`
    const hit = new Set<string>()
    while (true) {
      yield* Effect.sleep(yield* between(4, 10))
      const { items } = yield* Effect.promise(async () => JSON.parse(await api.call("GET", path)) as PodList)
      const running = items.filter(({ metadata, status }) => {
        const run = metadata.annotations?.["olake.io/workflow-id"] ?? ""
        return status?.phase === "Running" && metadata.deletionTimestamp === undefined && !hit.has(run)
      })
      const victim = running[yield* Random.nextIntBetween(0, Math.max(1, running.length))]
      if (victim === undefined) continue
      hit.add(victim.metadata.annotations?.["olake.io/workflow-id"] ?? "")
      yield* Effect.promise(() => api.call("DELETE", `${path}/${victim.metadata.name}`))
      done.deletes += 1
    }
  }).pipe(Effect.retry({ times: 1000 }))

/**
 * Every minute or so the API server stands still; only the cluster of dev/cluster can be frozen.
 * @param seconds how long; 5 to 12 where it is not given
 */
export const freezeApi = (seconds: number | undefined, done: Done) =>
  Effect.gen(function* () {
    if (findRunning("kube-apiserver") === undefined) return yield* Effect.never
    while (true) {
      yield* Effect.sleep(yield* between(30, 60))
      const time = yield* seconds === undefined ? between(5, 12) : between(seconds, seconds)
      yield* whileFrozen("kube-apiserver", Effect.sleep(time))
      done.freezes += 1
    }
  })
