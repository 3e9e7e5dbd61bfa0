/**
 * Suites with a world each. Those of a file run side by side, since most of what they do is waiting; the tests of one
 * come one after the other.
 */
import { describe, layer, type Vitest } from "@effect/vitest"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { clusterAccess } from "./ClusterAccess.ts"
import { clusterWorld, type Installation, localWorld, type World } from "./World.ts"

export type Tests = (it: Vitest.MethodsNonLive<World>) => void

/** A start takes all the processor that it can get: one at a time disturbs the suites that run already least. */
const starting = Semaphore.makeUnsafe(1)

const access = await clusterAccess()

/** For a world of any kind; none where there cannot be one, and its suite is skipped. */
export const suiteIn = <E>(name: string, world: Layer.Layer<World, E> | undefined, tests: Tests): void => {
  const suite = world === undefined ? describe.skip : describe.concurrent
  suite(name, () => {
    if (world === undefined) return
    const started = Layer.effectContext(Layer.build(world).pipe(starting.withPermits(1)))
    const options = { timeout: "5 minutes", excludeTestServices: true, concurrent: false } as const
    layer(started, options)("in a world of its own", tests)
  })
}

export const suiteOnLocalPods = (name: string, installation: Installation, tests: Tests): void =>
  suiteIn(name, localWorld(installation), tests)

export const suiteOnCluster = (name: string, installation: Installation, tests: Tests): void =>
  suiteIn(name, access.available ? clusterWorld(access.kubeconfig, installation) : undefined, tests)
