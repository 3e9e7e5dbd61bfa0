/** Reads `stats.json`, which a connector rewrites every two seconds of a sync; whatever stands in it. Pure. */
import * as Predicate from "effect/Predicate"
import { parseObject, defined } from "../Json.ts"

/** How far a sync is. What the file does not say, or says senselessly, is absent. */
export interface Progress {
  readonly rows: number
  readonly rowsPerSecond?: number
  /** Read from the source. */
  readonly bytes?: number
  readonly elapsedSeconds?: number
  /** The connector's own estimate. */
  readonly remainingSeconds?: number
}

/** A larger file is no stats.json. */
export const LARGEST_STATS = 64 * 1024

const sensible = (value: number): number | undefined =>
  Number.isFinite(value) && value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : undefined

/** `1499.53 rps`, `12.00 s`, `12.00` and plain numbers; `Not Determined` is none. */
const amountOf = (value: unknown): number | undefined => {
  if (Predicate.isNumber(value)) return sensible(value)
  if (!Predicate.isString(value) || value.length > 64) return undefined
  const [, digits] = /^\s*(\d+(?:\.\d+)?)\s*(?:rps|s)?\s*$/.exec(value) ?? []
  return digits === undefined ? undefined : sensible(Number(digits))
}

/** None for a file that is half written, or no object, or counts no rows. */
export const progressOf = (text: string): Progress | undefined => {
  const stats = parseObject(text)
  const rows = amountOf(stats?.["Synced Records"])
  if (stats === undefined || rows === undefined) return undefined
  return defined<Progress>({
    rows: Math.floor(rows),
    rowsPerSecond: amountOf(stats.Speed),
    bytes: amountOf(stats["Bytes Read"]),
    elapsedSeconds: amountOf(stats["Seconds Elapsed"]),
    remainingSeconds: amountOf(stats["Estimated Remaining Time"])
  })
}

/** From 0 to 1, by the rows that the connector's estimate leaves; none without an estimate. */
export const shareOf = ({ rows, rowsPerSecond, remainingSeconds }: Progress): number | undefined => {
  if (rowsPerSecond === undefined || remainingSeconds === undefined) return undefined
  const expected = rows + rowsPerSecond * remainingSeconds
  return expected > 0 ? rows / expected : undefined
}
