/** Follows a list of the API server for as long as the process lives: lists, watches on, and begins anew where it must. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { delayAfter, type KubernetesError } from "./KubernetesError.ts"
import { unreadable, type WatchFrame } from "./ApiLists.ts"
import { beginning, isWorthAWord, step } from "./ListWatchStep.ts"

export interface Followed<A> {
  /** In the log, such as "Pods". */
  readonly what: string
  /** Takes in the whole list; gives the version at which it was made. */
  readonly list: Effect.Effect<string, KubernetesError>
  /** One watch, as long as the server keeps it; an ERROR frame is a failure. */
  readonly watch: (
    resourceVersion: string,
    timeout: Duration.Duration
  ) => Stream.Stream<WatchFrame<A>, KubernetesError>
  /** Takes in a change; a defect costs that frame only. */
  readonly onFrame: (frame: WatchFrame<A>) => Effect.Effect<void, KubernetesError>
  /** Hears of every failure. A duration is waited for in silence; undefined leaves warning and delay to the loop. */
  readonly onBreak: (error: KubernetesError) => Effect.Effect<Duration.Duration | undefined>
}

/** Bookmarks come about once a minute (seen on 1.34); a connection silent for longer than this is dead. */
const SILENCE = "150 seconds"
/** The server ends a watch by itself after this many seconds, plus some, so that not all come back at once. */
const WATCH_SECONDS = 270
const WATCH_JITTER_SECONDS = 30
/** One that the server has not ended by then is ended here. */
const OVERTIME = Duration.seconds(15)
/** Before a watch that ended soon after its beginning is begun again, and before a new list after a 410. */
const LONGEST_MOMENT = "1 second"

const aMoment = Effect.flatMap(Random.next, (random) =>
  Effect.sleep(Duration.times(Duration.fromInputUnsafe(LONGEST_MOMENT), random))
)

export const follow = Effect.fnUntraced(function* <
  A extends { readonly metadata: { readonly resourceVersion?: string } }
>({ what, list, watch, onFrame, onBreak }: Followed<A>): Effect.fn.Return<never> {
  let standing = beginning

  /** One object that cannot be made sense of must not cost the others their watch. */
  const take = (frame: WatchFrame<A>) =>
    Effect.suspend(() => {
      standing = { ...standing, version: frame.object.metadata.resourceVersion ?? standing.version }
      return onFrame(frame)
    }).pipe(Effect.catchDefect((defect) => Effect.logError(`a change of ${what} was not understood`, defect)))

  const watchOnce = Effect.gen(function* () {
    const timeout = Duration.seconds(WATCH_SECONDS + (yield* Random.nextIntBetween(0, WATCH_JITTER_SECONDS)))
    yield* watch(standing.version, timeout).pipe(
      Stream.timeoutOrElse({ duration: SILENCE, orElse: () => Stream.empty }),
      Stream.runForEach(take),
      Effect.timeoutOption(Duration.sum(timeout, OVERTIME))
    )
  })

  const listOnce = Effect.map(list, (version) => {
    standing = { ...standing, version }
  })

  /** An answer that trips our code must not end the watch, which all waits hang on. */
  const understood = (run: Effect.Effect<void, KubernetesError>) =>
    Effect.catchDefect(run, (defect) => Effect.fail(unreadable(`watch ${what}`, String(defect))))

  const backOff = Effect.fnUntraced(function* (error: KubernetesError) {
    if (isWorthAWord(standing.failures))
      yield* Effect.logWarning(`watch of ${what} interrupted, trying again: ${error.message}`)
    yield* Effect.sleep(delayAfter(error, standing.failures, yield* Random.next))
  })

  const calls = { list: listOnce, watch: watchOnce }

  while (true) {
    const startedAt = yield* Clock.currentTimeMillis
    const result = yield* Effect.result(understood(calls[standing.due]))
    const error = Result.isFailure(result) ? result.failure : undefined
    const told = error === undefined ? undefined : yield* onBreak(error)
    const [next, pause] = step(standing, { startedAt, endedAt: yield* Clock.currentTimeMillis, error })
    standing = next
    if (pause === "moment") yield* aMoment
    if (pause === "backoff" && error !== undefined)
      yield* told === undefined ? backOff(error) : Effect.sleep(told)
  }
})
