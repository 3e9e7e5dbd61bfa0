/** A Pod that is gone with its scope: that of a run which somebody waits for, and which can be repeated. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Job } from "../olake/Job.ts"
import type { KubernetesError } from "./api/KubernetesError.ts"
import type { PodView } from "./pod/PodView.ts"
import type { Found, PodExit } from "./PodEnd.ts"
import type { NotCreated } from "./PodRunner.ts"
import { type PodRunnerError, stillTerminating } from "./PodRunnerErrors.ts"

/** Looks for a place for the Pod before the attempt is given back to Temporal. */
const MOST_TURNS = 5
/** What cannot be deleted by then is left to its own deadline. */
const DISCARD_LIMIT = "30 seconds"

/** What PodRunner has for it. */
export interface Parts {
  readonly find: (job: Job) => Effect.Effect<Found, KubernetesError>
  readonly create: (job: Job) => Effect.Effect<PodView | NotCreated, PodRunnerError>
  /** Gives a Pod that was found what its maker may not have given it. */
  readonly complete: (job: Job, pod: PodView) => Effect.Effect<void, KubernetesError>
  readonly awaitGone: (pod: PodView) => Effect.Effect<void, PodRunnerError>
  readonly awaitEnd: (job: Job, pod: PodView) => Effect.Effect<PodExit, KubernetesError>
  /** Asks the run's Pod to go, where there is one. */
  readonly delete: (job: Job) => Effect.Effect<void, KubernetesError>
}

/** Creates the run's Pod, or finds the one that an attempt before has made. */
const ensure = Effect.fnUntraced(function* (parts: Parts, job: Job) {
  let refusal: KubernetesError | undefined
  let last: PodView | undefined
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const { own, inTheWay } = yield* parts.find(job)
    last = own ?? inTheWay[0]
    if (own !== undefined && own.deletionTimestamp === undefined) {
      yield* parts.complete(job, own)
      return own
    }
    if (last !== undefined) yield* parts.awaitGone(last)
    else {
      const made = yield* parts.create(job)
      if (!("refusal" in made)) return made
      refusal = made.refusal
      yield* Effect.sleep(Duration.times(made.pause, turn + 1))
    }
  }
  if (last !== undefined) return yield* stillTerminating(last)
  return yield* refusal ?? Effect.die(new Error("no turn was taken"))
})

export const run = Effect.fnUntraced(function* (parts: Parts, job: Job) {
  const discard = parts.delete(job).pipe(
    Effect.timeout(DISCARD_LIMIT),
    Effect.catch(({ message }) => Effect.logWarning(`the Pod was not deleted: ${message}`))
  )
  // Before the create: one whose answer is lost must be cleaned up as well.
  yield* Effect.addFinalizer(() => discard)
  return yield* parts.awaitEnd(job, yield* ensure(parts, job))
})
