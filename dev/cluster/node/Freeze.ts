/** A program of the cluster that stands still: alive, its connections open, and without an answer. */
import * as Effect from "effect/Effect"
import { findRunning, type ProgramName } from "./Processes.ts"

export const whileFrozen = <A, E, R>(name: ProgramName, during: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const server = findRunning(name)
    if (server === undefined) return Effect.die(new Error(`${name} does not run: npm run cluster -- up`))
    const signal = (which: NodeJS.Signals) => Effect.sync(() => process.kill(server.pid, which))
    return Effect.acquireUseRelease(
      signal("SIGSTOP"),
      () => during,
      () => signal("SIGCONT")
    )
  })
