/** Whether the shared storage takes a file: what readiness and the doctor ask. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import { statfs } from "node:fs/promises"
import type { Files } from "./Files.ts"

/** The root itself first: without its mount, the reason is that it is missing. */
export const tryWrite = ({ root, inside, attempt, writeWhole, fs }: Files, name: string) =>
  Effect.gen(function* () {
    const target = inside(name)
    yield* attempt("look at", root, fs.readDirectory(root))
    yield* writeWhole(target, "ok")
    yield* attempt("remove", target, fs.remove(target, { force: true }))
    return yield* Effect.promise(() => statfs(root)).pipe(Effect.map(({ bavail, bsize }) => bavail * bsize))
  })

const PROBE_LIMIT = "2 seconds"
/** How long one probe's answer is good for, in milliseconds. */
const PROBE_AGE = 5_000

/** Whether a file can be written right now. */
export const writability = Effect.fnUntraced(function* ({ fs, inside }: Files, name: string) {
  // One probe at a time, and a hung one is not repeated: each would hold one of libuv's few threads.
  const oneProbe = yield* Semaphore.make(1)
  let probed = { at: Number.NEGATIVE_INFINITY, ok: false }
  return Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    if (now - probed.at < PROBE_AGE) return probed.ok
    const target = inside(name)
    const write = fs.writeFileString(target, "ok").pipe(Effect.andThen(fs.remove(target, { force: true })))
    const fiber = yield* Effect.forkDetach(
      oneProbe
        .withPermitsIfAvailable(1)(Effect.isSuccess(write))
        .pipe(
          Effect.flatMap((ran) =>
            Effect.map(Clock.currentTimeMillis, (at) => {
              if (Option.isSome(ran)) probed = { at, ok: ran.value }
              return Option.getOrElse(ran, () => false)
            })
          )
        )
    )
    return Option.getOrElse(yield* Effect.timeoutOption(Fiber.join(fiber), PROBE_LIMIT), () => false)
  })
})
