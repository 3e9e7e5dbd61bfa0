/** Work that comes again for as long as the worker runs. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** A bug of ours in the background is told of in the log, and ends that turn only. */
export const withoutDefects =
  (what: string) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A | void, E, R> =>
    Effect.catchDefect(work, (defect) => Effect.logError(`${what} met a bug`, defect))

interface Period {
  /** In the log, such as "the sweep of Pods". */
  readonly what: string
  /** Before the first turn. */
  readonly first: Duration.Input
  /** Between two turns. */
  readonly every: Duration.Input
}

/** Neither a failure nor a bug of one turn keeps the next from coming. */
export const periodically = <E extends { readonly message: string }, R>(
  { what, first, every }: Period,
  turn: Effect.Effect<void, E, R>
): Effect.Effect<never, never, R> =>
  Effect.andThen(
    Effect.sleep(first),
    turn.pipe(
      Effect.catch(({ message }) => Effect.logWarning(`${what} failed: ${message}`)),
      withoutDefects(what),
      Effect.andThen(Effect.sleep(every)),
      Effect.forever
    )
  )
