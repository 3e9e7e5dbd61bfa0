/** What one check finds, and how many of them run: at once, each bounded, none of them hiding another. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { bounded } from "../Schedules.ts"

/** `skipped`: nothing can be said, and why. */
export type Status = "ok" | "warning" | "problem" | "skipped"

export interface Verdict {
  readonly status: Status
  readonly found: string
  /** What mends it: a command to copy, or a setting. */
  readonly fix?: string
}

export interface Finding extends Verdict {
  readonly check: string
}

export const ok = (found: string): Verdict => ({ status: "ok", found })
export const warning = (found: string, fix: string): Verdict => ({ status: "warning", found, fix })
export const problem = (found: string, fix: string): Verdict => ({ status: "problem", found, fix })
export const skipped = (found: string, fix?: string): Verdict =>
  fix === undefined ? { status: "skipped", found } : { status: "skipped", found, fix }

/** What a failure is to people. */
interface Told {
  readonly message: string
}

export interface Check<R = never> {
  /** Its part and what it looks at, such as `postgres.table.job`. */
  readonly name: string
  /** A check of the same part, without which this one says nothing of its own. */
  readonly needs?: string
  readonly limit?: Duration.Duration
  readonly run: Effect.Effect<Verdict, Told, R>
  /** What mends a failure, or an answer that does not come. */
  readonly remedy: string
}

const LIMIT = Duration.seconds(15)

const textOf = (cause: Cause.Cause<Told>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

const judged = <R>({ run, remedy, limit = LIMIT }: Check<R>): Effect.Effect<Verdict, never, R> =>
  run.pipe(
    bounded(limit, (found) => Effect.succeed(problem(found, remedy))),
    Effect.catchCause((cause) => Effect.succeed(problem(textOf(cause), remedy)))
  )

const isBad = ({ status }: Verdict): boolean => status === "problem" || status === "skipped"

/** In the order of the table. A check whose need was not met is skipped. */
export const runAll = Effect.fnUntraced(function* <R>(
  checks: ReadonlyArray<Check<R>>
): Effect.fn.Return<ReadonlyArray<Finding>, never, R> {
  const ends = new Map<string, Deferred.Deferred<Verdict>>()
  for (const { name } of checks) ends.set(name, yield* Deferred.make<Verdict>())
  return yield* Effect.forEach(
    checks,
    Effect.fnUntraced(function* (check) {
      const { name, needs = "" } = check
      const needed = ends.get(needs)
      const before = needed === undefined ? undefined : yield* Deferred.await(needed)
      const verdict = before !== undefined && isBad(before) ? skipped(`needs ${needs}`) : yield* judged(check)
      const end = ends.get(name)
      if (end !== undefined) yield* Deferred.succeed(end, verdict)
      return { check: name, ...verdict }
    }),
    { concurrency: "unbounded" }
  )
})

/** The checks of one part, with what they use. Where that cannot be made, the first check says why. */
export const part = <R, A, E extends Told, R2>(
  checks: ReadonlyArray<Check<R>>,
  layer: Layer.Layer<A, E, R2>
): Effect.Effect<ReadonlyArray<Finding>, never, R2 | Exclude<R, A>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const built = yield* Effect.exit(Layer.build(layer))
      if (Exit.isSuccess(built)) return yield* Effect.provideContext(runAll(checks), built.value)
      const [first, ...others] = checks
      if (first === undefined) return []
      return [
        { check: first.name, ...problem(textOf(built.cause), first.remedy) },
        ...others.map(({ name }) => ({ check: name, ...skipped(`needs ${first.name}`) }))
      ]
    })
  )
