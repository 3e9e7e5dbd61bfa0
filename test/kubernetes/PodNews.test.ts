/** What late, double and contrary news of a Pod leave known of it. */
import { assert, describe, it } from "@effect/vitest"
import { after, isGoneWith, type Observation, wasMissed } from "../../src/kubernetes/PodNews.ts"
import type { PodView } from "../../src/kubernetes/pod/PodView.ts"
import { aPod } from "../support/PodBuilder.ts"

const at = (version: number): PodView => ({ ...aPod().running().view(), version })
const news = (version: number, over: Partial<Observation> = {}): Observation => ({
  view: at(version),
  gone: false,
  asked: false,
  ...over
})

const known = news(5)
const gone = news(5, { gone: true })
const asked = news(5, { asked: true })

const cases: ReadonlyArray<
  readonly [string, Observation | undefined, Observation, "departed" | "", Observation | undefined]
> = [
  ["of a new Pod", undefined, known, "", known],
  ["of a Pod that has departed", undefined, known, "departed", undefined],
  ["that one nobody knew is gone", undefined, gone, "", undefined],
  ["that is newer", known, news(6), "", news(6)],
  ["that is told twice", known, news(5), "", news(5)],
  ["that is older than what is known", known, news(4), "", known],
  ["that it is gone", known, gone, "", gone],
  ["of an older view that it is gone", known, news(4, { gone: true }), "", known],
  ["of one that is gone", gone, news(6), "departed", gone],
  ["of one that was asked to go", asked, news(6), "", news(6, { asked: true })],
  ["that it is asked to go", known, asked, "", asked]
]

describe("what is known of a Pod", () => {
  for (const [name, before, heard, departed, expected] of cases) {
    it(`news ${name}`, () => {
      const now = after(before, heard, departed === "departed")
      assert.deepStrictEqual(now, expected)
      // Nobody is woken for news that tell nothing.
      if (before !== undefined && expected === before) assert.strictEqual(now, before)
    })
  }

  it("says of one that left the list whether it is gone", () => {
    assert.isFalse(isGoneWith(aPod().running().view()))
    assert.isTrue(isGoneWith(aPod().running().deleted().view()))
    assert.isTrue(isGoneWith(aPod().phase("Succeeded").view()))
  })

  it("was missed where a list has it and the watch had gone past it", () => {
    assert.isTrue(wasMissed(at(6), known, false, 9))
    assert.isFalse(wasMissed(at(6), known, false, 5))
    assert.isFalse(wasMissed(at(5), known, false, 9))
    assert.isTrue(wasMissed(at(6), undefined, false, 9))
    assert.isFalse(wasMissed(at(6), undefined, true, 9))
  })
})
