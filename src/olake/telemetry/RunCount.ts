/**
 * Which run of its job a sync is, as a small file on the shared storage has it. Jobs that ran before anybody counted are
 * marked, since their number would be too low. Pure.
 */
import * as Predicate from "effect/Predicate"
import { parseObject } from "../../Json.ts"

/** Where the counters are: one file for each job, named by its id. */
export const COUNTERS = "telemetry/job-counters"

/** A number of runs, or `ineligible` where it cannot be known. */
export type Counter = number | "ineligible"

/** Undefined for a text that is no counter. */
export const parseCounter = (text: string): Counter | undefined => {
  const counter = parseObject(text)
  if (counter?.ineligible === true) return "ineligible"
  const count = counter?.run_count
  return Predicate.isNumber(count) && Number.isSafeInteger(count) && count >= 0 ? count : undefined
}

export const encodeCounter = (counter: Counter): string =>
  JSON.stringify(counter === "ineligible" ? { run_count: 0, ineligible: true } : { run_count: counter })

/** @param started how many runs the job's schedule has started, this one included; asked for only without a counter */
export const firstCounter = (started: number): Counter => (started > 1 ? "ineligible" : 1)

/** 0 for none. */
export const countOf = (counter: Counter | undefined): number =>
  counter === undefined || counter === "ineligible" ? 0 : counter
