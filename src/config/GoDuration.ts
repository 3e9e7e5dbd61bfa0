/** Durations as Go writes them (`2h45m`, `1.5s`), or a whole number of seconds. Pure. */
import * as Duration from "effect/Duration"

const MILLIS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1e3,
  m: 60e3,
  h: 3600e3
}
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g
const WHOLE = /^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/

/** Longest duration that makes sense as a setting. */
const LONGEST = Duration.toMillis("3650 days")

/** Undefined where the text is none, is negative, or exceeds ten years. */
export const parse = (text: string): Duration.Duration | undefined => {
  let millis = 0
  if (/^\d+$/.test(text)) millis = Number(text) * 1000
  else if (WHOLE.test(text))
    for (const [, count, unit] of text.matchAll(PART)) millis += Number(count) * (MILLIS[unit ?? ""] ?? 0)
  else return undefined
  return millis <= LONGEST ? Duration.millis(millis) : undefined
}
