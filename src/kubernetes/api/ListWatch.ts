/** Follows a list of the API server for as long as the process lives: lists, watches on, and begins anew where it must. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { delayAfter, type KubernetesError } from "./KubernetesError.ts"
import { unreadable, type WatchFrame } from "./ApiLists.ts"

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
/** A full list now and then finds what a watch has missed. */
const TRUTH_CHECK = Duration.toMillis("10 minutes")

/** The server ends a watch by itself after this many seconds, plus some, so that not all come back at once. */
const WATCH_SECONDS = 270
const WATCH_JITTER_SECONDS = 30
/** One that the server has not ended by then is ended here. */
const OVERTIME = Duration.seconds(15)
/** Before a watch that ended soon after its beginning is begun again, and before a new list after a 410. */
const LONGEST_PAUSE = "1 second"
/** A watch that ended sooner may do so over and over. */
const SHORT_LIFE = 5_000
/** One that lived longer begins the count of failures anew. */
const LONG_LIFE = 10_000

const jittered = (longest: Duration.Input, random: number) =>
  Duration.times(Duration.fromInputUnsafe(longest), random)

export const follow = <A extends { readonly metadata: { readonly resourceVersion?: string } }>({
  what,
  list,
  watch,
  onFrame,
  onBreak
}: Followed<A>): Effect.Effect<never> =>
  Effect.gen(function* () {
    let resourceVersion = ""
    let listed = false
    let listedAt = 0
    let failures = 0
    let unreadAt: string | undefined

    /** One object that cannot be made sense of must not cost the others their watch. */
    const take = (frame: WatchFrame<A>) =>
      Effect.suspend(() => {
        resourceVersion = frame.object.metadata.resourceVersion ?? resourceVersion
        return onFrame(frame)
      }).pipe(
        Effect.catchDefect((defect) => Effect.logError(`a change of ${what} was not understood`, defect))
      )

    const watchOnce = Effect.gen(function* () {
      const timeout = Duration.seconds(
        WATCH_SECONDS + (yield* Random.nextIntBetween(0, WATCH_JITTER_SECONDS))
      )
      yield* watch(resourceVersion, timeout).pipe(
        Stream.timeoutOrElse({ duration: SILENCE, orElse: () => Stream.empty }),
        Stream.runForEach(take),
        Effect.timeoutOption(Duration.sum(timeout, OVERTIME))
      )
    })

    const listOnce = Effect.map(list, (version) => {
      resourceVersion = version
    })

    /** An answer that trips our code must not end the watch, which all waits hang on. */
    const understood = (run: Effect.Effect<void, KubernetesError>) =>
      Effect.catchDefect(run, (defect) => Effect.fail(unreadable(`watch ${what}`, String(defect))))

    while (true) {
      const started = yield* Clock.currentTimeMillis
      const result = yield* Effect.result(understood(listed ? watchOnce : listOnce))
      const lived = (yield* Clock.currentTimeMillis) - started
      if (Result.isSuccess(result)) {
        failures = 0
        if (listed && lived < SHORT_LIFE) yield* Effect.sleep(jittered(LONGEST_PAUSE, yield* Random.next))
        if (!listed) listedAt = started
        listed = started - listedAt < TRUTH_CHECK
        continue
      }
      const error = result.failure
      const pause = yield* onBreak(error)
      if (error.isExpired) {
        listed = false
        yield* Effect.sleep(jittered(LONGEST_PAUSE, yield* Random.next))
        continue
      }
      failures = lived > LONG_LIFE ? 1 : failures + 1
      // What could not be read twice stays so, as does a version that the server will not have: list anew.
      const isStuck = error.reason === "UnreadableAnswer" && unreadAt === resourceVersion
      unreadAt = error.reason === "UnreadableAnswer" ? resourceVersion : undefined
      listed &&= !isStuck && started - listedAt < TRUTH_CHECK
      if (pause !== undefined) {
        yield* Effect.sleep(pause)
        continue
      }
      // What lasts, such as a missing right, is said ever more rarely.
      if (/^10*$/.test(String(failures)))
        yield* Effect.logWarning(`watch of ${what} interrupted, trying again: ${error.message}`)
      yield* Effect.sleep(delayAfter(error, failures, yield* Random.next))
    }
  })
