/** What follows when a list or a watch of the API server has ended, well or badly. Pure; `ListWatch.ts` does it. */
import * as Duration from "effect/Duration"
import type { KubernetesError } from "./KubernetesError.ts"

/** Where a list is followed from, and what of its history decides how it goes on. */
export interface Standing {
  readonly due: "list" | "watch"
  /** The last version that was told of. */
  readonly version: string
  readonly listedAt: number
  /** In a row. */
  readonly failures: number
  /** The version at which the last answer could not be read, where that was the last failure. */
  readonly unreadAt: string | undefined
}

export const beginning: Standing = {
  due: "list",
  version: "",
  listedAt: 0,
  failures: 0,
  unreadAt: undefined
}

/** How the call that was due has ended, and when it had begun, in milliseconds. */
export interface Outcome {
  readonly startedAt: number
  readonly endedAt: number
  readonly error: KubernetesError | undefined
}

/** Before the next call: none, a moment so that not all come back at once, or longer the more calls have failed. */
export type Pause = "none" | "moment" | "backoff"

/** A full list now and then finds what a watch has missed. */
const TRUTH_CHECK = Duration.toMillis("10 minutes")
/** A watch that ended sooner may do so over and over. */
const SHORT_LIFE = 5_000
/** One that lived longer begins the count of failures anew. */
const LONG_LIFE = 10_000

const afterSuccess = (standing: Standing, { startedAt, endedAt }: Outcome): readonly [Standing, Pause] => {
  const wasWatch = standing.due === "watch"
  const listedAt = wasWatch ? standing.listedAt : startedAt
  const due = startedAt - listedAt < TRUTH_CHECK ? "watch" : "list"
  const pause = wasWatch && endedAt - startedAt < SHORT_LIFE ? "moment" : "none"
  return [{ ...standing, due, listedAt, failures: 0 }, pause]
}

export const step = (standing: Standing, outcome: Outcome): readonly [Standing, Pause] => {
  const { error, startedAt, endedAt } = outcome
  if (error === undefined) return afterSuccess(standing, outcome)
  if (error.isExpired) return [{ ...standing, due: "list" }, "moment"]
  const isUnread = error.reason === "UnreadableAnswer"
  // What could not be read twice stays so, as does a version that the server will not have: list anew.
  const isStuck = isUnread && standing.unreadAt === standing.version
  const goesOn = standing.due === "watch" && !isStuck && startedAt - standing.listedAt < TRUTH_CHECK
  return [
    {
      ...standing,
      due: goesOn ? "watch" : "list",
      failures: endedAt - startedAt > LONG_LIFE ? 1 : standing.failures + 1,
      unreadAt: isUnread ? standing.version : undefined
    },
    "backoff"
  ]
}

/** Whether that many failures in a row are worth a word: what lasts, such as a missing right, is said ever more rarely. */
export const isWorthAWord = (failures: number): boolean => /^10*$/.test(String(failures))
