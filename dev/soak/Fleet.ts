/** Workers that die and are replaced, each under a name of its own, as a Deployment does it. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { freePort } from "../world/FreePort.ts"
import { startReadyWorker } from "../world/Worker.ts"
import type { Env } from "../world/WorkerEnv.ts"

export interface Fleet {
  /** Kills the one that has lived longest, and starts another. */
  readonly killOne: Effect.Effect<void>
}

export const makeFleet = (env: Env, size: number, logFile?: string) =>
  Effect.gen(function* () {
    const alive: Array<Scope.Closeable> = []
    let started = 0
    const startOne = Effect.gen(function* () {
      const scope = yield* Scope.make()
      const own = { POD_NAME: `soak-${(started += 1)}`, HEALTH_PORT: String(yield* Effect.promise(freePort)) }
      yield* startReadyWorker({ ...env, ...own }, { logFile }).pipe(Scope.provide(scope), Effect.orDie)
      alive.push(scope)
    })
    yield* Effect.addFinalizer(() =>
      Effect.forEach(alive, (scope) => Scope.close(scope, Exit.void), { concurrency: "unbounded" })
    )
    yield* Effect.forEach(Array.from({ length: size }), () => startOne)
    const killOne = Effect.gen(function* () {
      const victim = alive.shift()
      if (victim === undefined) return
      yield* Scope.close(victim, Exit.void)
      yield* startOne
    }).pipe(Effect.uninterruptible)
    return { killOne } satisfies Fleet
  })
