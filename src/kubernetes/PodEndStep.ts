/** What a wait for a Pod's end does next: keeps the time that the verdict table leaves to its caller. Pure. */
import type { PodFailure } from "./verdict/PodFailure.ts"
import type { Stage, Verdict } from "./verdict/Verdict.ts"

/** The row of the verdict table that holds, and since when; none before the Pod was looked at. */
export interface Held {
  readonly row: Verdict["row"] | undefined
  readonly since: number
}

export const beginning: Held = { row: undefined, since: 0 }

/** A verdict on the Pod: as the watch knows it, or as the API server says now, which was asked for that. */
export interface Judged {
  readonly verdict: Verdict
  readonly isConfirmed: boolean
  readonly now: number
}

/**
 * `settle`: the Pod as it was just judged has ended. `confirm`: bad news, to be asked for once more. `wait`: for a change,
 * or for so many milliseconds without one, after which the row counts.
 */
export type Action =
  | { readonly _tag: "settle" }
  | { readonly _tag: "confirm" }
  | { readonly _tag: "wait"; readonly atMost: number | undefined }

/** What applies, and how much longer it may hold; nothing where there is no hurry. */
export const patienceOf = (
  verdict: Exclude<Verdict, { _tag: "Succeeded" }>
): { readonly after: number; readonly failure: PodFailure } | undefined =>
  verdict._tag === "Pending" ? verdict.giveUp : { after: 0, failure: verdict.failure }

export const step = (held: Held, { verdict, isConfirmed, now }: Judged): readonly [Held, Action] => {
  const isSame = verdict.row === held.row
  const next = isSame ? held : { row: verdict.row, since: now }
  if (verdict._tag === "Succeeded" || (isConfirmed && isSame)) return [next, { _tag: "settle" }]
  const patience = patienceOf(verdict)
  if (patience === undefined) return [next, { _tag: "wait", atMost: undefined }]
  const left = next.since + patience.after - now
  return [next, left > 0 ? { _tag: "wait", atMost: left } : { _tag: "confirm" }]
}

/** What it is at, for people. */
export const stageOf = (verdict: Verdict): { readonly stage: Stage; readonly message: string } =>
  verdict._tag === "Pending"
    ? { stage: verdict.stage, message: verdict.message }
    : { stage: "finishing", message: "" }

/** The same in the log. */
export const wordsOf = (verdict: Verdict): string => {
  if (verdict._tag === "Succeeded") return "succeeded"
  return verdict._tag === "Pending" ? verdict.message : verdict.failure.message
}
