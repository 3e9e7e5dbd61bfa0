/** How a soak is judged. */
import { assert, describe, it } from "@effect/vitest"
import { type Interval, intervalsOf, judge } from "../../dev/soak/Writers.ts"

const interval = (begin: number, end: number, from: number, to: number): Interval => ({
  run: "r",
  begin,
  end,
  from,
  to
})

describe("what connectors note", () => {
  it("is read as intervals, also where one was killed", () => {
    const log = "1.00 begin 0\n1.50 beat 1\n9.00 begin 1\n9.50 beat 2\n10.00 end 2\nhalf a li"
    assert.deepStrictEqual(intervalsOf("r", log), [interval(1, 1.5, 0, 1), interval(9, 10, 1, 2)])
    assert.deepStrictEqual(intervalsOf("r", ""), [])
  })

  it("shows second writers and lost checkpoints", () => {
    const good = [interval(1, 2, 0, 5), interval(3, 4, 5, 9)]
    assert.deepStrictEqual(judge(7, good.toReversed(), 9), { secondWriters: [], lostCheckpoints: [] })
    assert.lengthOf(judge(7, [...good, interval(1.5, 1.8, 5, 5)], 9).secondWriters, 1)
    assert.lengthOf(judge(7, [...good, interval(5, 6, 8, 9)], 9).lostCheckpoints, 1)
    assert.lengthOf(judge(7, good, 8).lostCheckpoints, 1)
  })
})
