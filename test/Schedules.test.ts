import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/testing/TestClock"
import { bounded, capped } from "../src/Schedules.ts"

/** The first pauses, in milliseconds; fewer where it ends before. */
const pausesOf = (schedule: Schedule.Schedule<Duration.Duration>, most = 7) =>
  Effect.gen(function* () {
    const pauses: Array<number> = []
    const noted = schedule.pipe(
      Schedule.upTo({ times: most }),
      Schedule.modifyDelay(({ duration }) => {
        pauses.push(Duration.toMillis(duration))
        return Effect.succeed(duration)
      })
    )
    const tries = yield* Effect.forkChild(Effect.ignore(Effect.retry(Effect.fail("no"), noted)))
    yield* TestClock.adjust("10 minutes")
    yield* Fiber.join(tries)
    return pauses
  })

describe("pauses", () => {
  it.effect("double up to their cap, and go on", () =>
    Effect.map(pausesOf(capped("1 second", "10 seconds")), (pauses) =>
      assert.deepStrictEqual(pauses, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000])
    )
  )

  it.effect("end after so many", () =>
    Effect.map(pausesOf(capped("1 second", "10 seconds", { times: 3 })), (pauses) =>
      assert.lengthOf(pauses, 3)
    )
  )

  it.effect("differ by a fifth at most where they are jittered", () =>
    Effect.map(pausesOf(capped("1 second", "10 seconds", { jittered: true })), (pauses) => {
      const even = [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]
      assert.notDeepEqual(pauses, even)
      for (const [index, pause] of pauses.entries())
        assert.closeTo(pause, even[index] ?? 0, (even[index] ?? 0) * 0.2)
    })
  )
})

describe("an answer", () => {
  it.effect("that does not come in time is none, in the words of the limit", () =>
    Effect.gen(function* () {
      const said = yield* Effect.forkChild(Effect.flip(bounded("5 seconds", Effect.fail)(Effect.never)))
      const other = yield* Effect.forkChild(
        Effect.flip(bounded(Duration.seconds(90), Effect.fail)(Effect.never))
      )
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* Fiber.join(said), "no answer in 5 seconds")
      assert.strictEqual(yield* Fiber.join(other), "no answer in 1m 30s")
    })
  )

  it.effect("that comes in time stays as it is", () =>
    Effect.map(Effect.succeed("answer").pipe(bounded("5 seconds", Effect.fail)), (answer) =>
      assert.strictEqual(answer, "answer")
    )
  )
})
