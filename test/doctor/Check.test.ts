import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { type Check, ok, part, problem, runAll, type Verdict, warning } from "../../src/doctor/Check.ts"

const check = (name: string, run: Check["run"], needs?: string): Check => ({
  name,
  run,
  remedy: `mend ${name}`,
  ...(needs === undefined ? {} : { needs })
})
const finding = (name: string, verdict: Verdict) => ({ check: name, ...verdict })

describe("checks", () => {
  it.effect("one that fails, dies or hangs hides no other, and what needs it is skipped", () =>
    Effect.gen(function* () {
      const running = yield* Effect.forkChild(
        runAll([
          check("after", Effect.succeed(ok("never said")), "fails"),
          check("fails", Effect.fail(new Error("it failed"))),
          check("dies", Effect.die(new Error("it died"))),
          check("hangs", Effect.never),
          check("last", Effect.succeed(ok("good")), "after-that"),
          check("after-after", Effect.succeed(ok("never said")), "after"),
          check("warned", Effect.succeed(warning("odd", "do"))),
          check("after-warned", Effect.succeed(ok("all the same")), "warned")
        ])
      )
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual(yield* Fiber.join(running), [
        finding("after", { status: "skipped", found: "needs fails" }),
        finding("fails", problem("it failed", "mend fails")),
        finding("dies", problem("it died", "mend dies")),
        finding("hangs", problem("no answer in 15s", "mend hangs")),
        finding("last", ok("good")),
        finding("after-after", { status: "skipped", found: "needs after" }),
        finding("warned", warning("odd", "do")),
        finding("after-warned", ok("all the same"))
      ])
    })
  )

  it.effect("run at once, each with its own bound", () =>
    Effect.gen(function* () {
      const slow = { ...check("slow", Effect.never), limit: Duration.seconds(40) }
      const running = yield* Effect.forkChild(runAll([slow, check("hangs", Effect.never)]))
      yield* TestClock.adjust("40 seconds")
      const found = (yield* Fiber.join(running)).map((one) => one.found)
      assert.deepStrictEqual(found, ["no answer in 40s", "no answer in 15s"])
    })
  )

  it.effect("where a part cannot be made, its first check says why", () =>
    Effect.gen(function* () {
      const broken = Layer.effectDiscard(Effect.fail(new Error("no such file")))
      const found = yield* part([check("server", Effect.never), check("table", Effect.never)], broken)
      assert.deepStrictEqual(found, [
        finding("server", problem("no such file", "mend server")),
        finding("table", { status: "skipped", found: "needs server" })
      ])
    })
  )
})
