/** What follows after a list or a watch: every way in which one ends, from every standing. */
import { assert, describe, it } from "@effect/vitest"
import { KubernetesError } from "../../../src/kubernetes/api/KubernetesError.ts"
import {
  beginning,
  isWorthAWord,
  type Outcome,
  type Pause,
  type Standing,
  step
} from "../../../src/kubernetes/api/ListWatchStep.ts"

const failing = (status: number, reason = "Odd") =>
  new KubernetesError({ operation: "watch Pods", status, reason, detail: "" })
const away = failing(503)
const expired = failing(410, "Expired")
const unreadable = failing(0, "UnreadableAnswer")

const SECOND = 1_000
const MINUTE = 60 * SECOND
const NOW = 100 * MINUTE

/** A watch that goes on from version 7, listed so long ago. */
const watching = (sinceList = MINUTE, over: Partial<Standing> = {}): Standing => ({
  due: "watch",
  version: "7",
  listedAt: NOW - sinceList,
  failures: 0,
  unreadAt: undefined,
  ...over
})
const lived = (length: number, error?: KubernetesError): Outcome => ({
  startedAt: NOW,
  endedAt: NOW + length,
  error
})

const cases: ReadonlyArray<readonly [string, Standing, Outcome, Partial<Standing>, Pause]> = [
  ["a first list", beginning, lived(SECOND), { due: "watch", listedAt: NOW }, "none"],
  [
    "a first list that is refused",
    beginning,
    lived(SECOND, failing(403)),
    { due: "list", failures: 1 },
    "backoff"
  ],
  ["a watch that the server ended", watching(), lived(270 * SECOND), { due: "watch" }, "none"],
  ["a watch that ended at once", watching(), lived(4 * SECOND), { due: "watch" }, "moment"],
  ["a watch, long after the list", watching(10 * MINUTE), lived(270 * SECOND), { due: "list" }, "none"],
  ["a watch after failures", watching(MINUTE, { failures: 9 }), lived(270 * SECOND), { failures: 0 }, "none"],
  ["a version that is too old", watching(), lived(SECOND, expired), { due: "list", failures: 0 }, "moment"],
  ["a connection that broke", watching(), lived(SECOND, away), { due: "watch", failures: 1 }, "backoff"],
  ["one more", watching(MINUTE, { failures: 3 }), lived(SECOND, away), { failures: 4 }, "backoff"],
  [
    "one after a long life",
    watching(MINUTE, { failures: 3 }),
    lived(MINUTE, away),
    { failures: 1 },
    "backoff"
  ],
  [
    "one long after the list",
    watching(10 * MINUTE),
    lived(SECOND, away),
    { due: "list", version: "7" },
    "backoff"
  ],
  [
    "an answer that cannot be read",
    watching(),
    lived(SECOND, unreadable),
    { due: "watch", unreadAt: "7" },
    "backoff"
  ],
  [
    "the same again",
    watching(MINUTE, { unreadAt: "7" }),
    lived(SECOND, unreadable),
    { due: "list", unreadAt: "7" },
    "backoff"
  ],
  [
    "another one that cannot be read",
    watching(MINUTE, { unreadAt: "6" }),
    lived(SECOND, unreadable),
    { due: "watch", unreadAt: "7" },
    "backoff"
  ],
  [
    "another failure in between",
    watching(MINUTE, { unreadAt: "7" }),
    lived(SECOND, away),
    { due: "watch", unreadAt: undefined },
    "backoff"
  ]
]

describe("after a list or a watch", () => {
  for (const [name, standing, outcome, changes, pause] of cases) {
    it(`${name}: ${pause}`, () => {
      const [next, waited] = step(standing, outcome)
      assert.deepInclude(next, changes)
      assert.strictEqual(waited, pause)
    })
  }

  it("the first failure is said, then ever fewer", () =>
    assert.deepStrictEqual(
      Array.from({ length: 1200 }, (_, index) => index).filter(isWorthAWord),
      [1, 10, 100, 1000]
    ))
})
