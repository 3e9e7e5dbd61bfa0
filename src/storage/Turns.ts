/**
 * File calls in turns. A call that hangs holds one of the few threads that Node has for files and for names in DNS, until
 * the volume answers, whoever still waits for it: without turns some hung calls would stop all else.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as FileSystem from "effect/FileSystem"
import * as Semaphore from "effect/Semaphore"

/** libuv's own default. */
const THREADS = Config.Int("UV_THREADPOOL_SIZE").pipe(
  Config.withDefault(4),
  Config.orElse(() => Config.succeed(4))
)
/** Left to DNS and to what else needs one. */
const FOR_OTHERS = 2

/** The same file system, where each call begins when it has a turn, and keeps it until it has really ended. */
export const inTurns = Effect.fnUntraced(function* (fs: FileSystem.FileSystem) {
  const turns = yield* Semaphore.make(Math.max(1, (yield* THREADS) - FOR_OTHERS))

  const held = <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.uninterruptibleMask((restore) =>
      restore(turns.take(1)).pipe(
        Effect.andThen(Effect.forkDetach(Effect.ensuring(Effect.uninterruptible(call), turns.release(1)))),
        Effect.flatMap((fiber) => restore(Fiber.join(fiber)))
      )
    )
  const each =
    <Args extends ReadonlyArray<unknown>, A, E, R>(call: (...args: Args) => Effect.Effect<A, E, R>) =>
    (...args: Args) =>
      held(call(...args))

  return {
    ...fs,
    chmod: each(fs.chmod),
    exists: each(fs.exists),
    link: each(fs.link),
    makeDirectory: each(fs.makeDirectory),
    open: each(fs.open),
    readDirectory: each(fs.readDirectory),
    readFileString: each(fs.readFileString),
    realPath: each(fs.realPath),
    remove: each(fs.remove),
    rename: each(fs.rename),
    stat: each(fs.stat),
    writeFileString: each(fs.writeFileString)
  } satisfies FileSystem.FileSystem
})
