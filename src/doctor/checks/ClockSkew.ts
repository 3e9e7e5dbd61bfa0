/** How far another part's clock is from this one's. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { ok, problem, skipped, type Verdict, warning } from "../Check.ts"

/** A takeover counts seconds between the two clocks; certificates and tokens bear a minute. Milliseconds. */
const NOTICED = 5_000
const HARMFUL = 60_000

/** Positive where the other clock is ahead. Milliseconds. */
export const judge = (whose: string, skew: number): Verdict => {
  if (Number.isNaN(skew)) return skipped(`${whose} clock is not told`)
  const seconds = Math.round(Math.abs(skew) / 100) / 10
  if (Math.abs(skew) < NOTICED) return ok(`${whose} clock agrees with this one`)
  const found = `${whose} clock is ${seconds} s ${skew > 0 ? "ahead of" : "behind"} this one`
  const fix = "Set both by NTP: timedatectl set-ntp true (or chronyc makestep) on the node that is wrong"
  return Math.abs(skew) < HARMFUL ? warning(found, fix) : problem(found, fix)
}

/**
 * @param read the other clock, in milliseconds since the epoch
 * @param resolution of what `read` gives, in milliseconds: half of it is added, as it is cut off
 */
export const compare = Effect.fnUntraced(function* <E, R>(
  whose: string,
  read: Effect.Effect<number, E, R>,
  resolution = 0
): Effect.fn.Return<Verdict, E, R> {
  const before = yield* Clock.currentTimeMillis
  const other = yield* read
  const after = yield* Clock.currentTimeMillis
  return judge(whose, other + resolution / 2 - (before + after) / 2)
})
