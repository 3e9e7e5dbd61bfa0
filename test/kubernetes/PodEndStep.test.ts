/** How long which news may hold before a wait for a Pod ends with it, and that bad news is asked for once more. */
import { assert, describe, it } from "@effect/vitest"
import { type Action, beginning, type Held, step } from "../../src/kubernetes/PodEndStep.ts"
import { PodFailure } from "../../src/kubernetes/verdict/PodFailure.ts"
import { failed, pending, type Verdict } from "../../src/kubernetes/verdict/Verdict.ts"

const failure = new PodFailure({ class: "Unschedulable", pod: "p" })
const running = pending(0, "running", "running")
const queued = pending(2, "queued", "no node takes it yet", { after: 1_000, failure })
const killed = pending(16, "finishing", "ended by signal", { after: 100, failure })
const evicted = failed(18, failure)
const succeeded: Verdict = { _tag: "Succeeded", row: 9 }

const NOW = 50_000
const holds = (row: number, for_: number): Held => ({ row, since: NOW - for_ })
const wait = (atMost?: number): Action => ({ _tag: "wait", atMost })
const settle: Action = { _tag: "settle" }
const confirm: Action = { _tag: "confirm" }

const cases: ReadonlyArray<
  readonly [string, Held, Verdict, "seen" | "confirmed", Action, since?: number | undefined]
> = [
  ["success at once", beginning, succeeded, "seen", settle],
  ["success, though the news was bad", holds(18, 0), succeeded, "confirmed", settle],
  ["a run goes on", beginning, running, "seen", wait()],
  ["a run goes on for days", holds(0, 1e9), running, "seen", wait(), NOW - 1e9],
  ["queued, from now on", beginning, queued, "seen", wait(1_000)],
  ["queued again, after it ran", holds(0, 5_000), queued, "seen", wait(1_000)],
  ["queued, for a while", holds(2, 400), queued, "seen", wait(600), NOW - 400],
  ["queued, for as long as it may", holds(2, 1_000), queued, "seen", confirm, NOW - 1_000],
  ["queued, the API server says so too", holds(2, 1_200), queued, "confirmed", settle, NOW - 1_200],
  ["queued no more, says the API server", holds(2, 1_200), running, "confirmed", wait()],
  ["queued no more, but killed", holds(2, 1_200), killed, "confirmed", wait(100)],
  ["evicted", holds(0, 5_000), evicted, "seen", confirm],
  ["evicted, the API server says so too", holds(18, 10), evicted, "confirmed", settle, NOW - 10],
  ["evicted, says the API server of one that was queued", holds(2, 1_000), evicted, "confirmed", confirm]
]

describe("the wait for a Pod's end", () => {
  for (const [name, held, verdict, how, action, since = NOW] of cases) {
    it(`${name}: ${action._tag}`, () =>
      assert.deepStrictEqual(step(held, { verdict, isConfirmed: how === "confirmed", now: NOW }), [
        { row: verdict.row, since },
        action
      ]))
  }
})
