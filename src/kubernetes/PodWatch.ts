/**
 * One list + watch of this worker's Pods per process, and the waiters on them. A Pod is known by its uid.
 * A waiter sees the latest view, not every event, so a burst costs it nothing. "Gone" is only said with proof.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { capped } from "../Schedules.ts"
import { KubernetesClient } from "./api/KubernetesClient.ts"
import * as ListWatch from "./api/ListWatch.ts"
import type { WatchFrame } from "./api/ApiLists.ts"
import { SELECTOR } from "./pod/PodIdentity.ts"
import type { PodJson } from "./pod/PodJson.ts"
import { fromPod, type PodView } from "./pod/PodView.ts"
import * as PodWatchMetrics from "./PodWatchMetrics.ts"
import { after, isGoneWith, type Observation, wasMissed } from "./PodNews.ts"

export type { Observation } from "./PodNews.ts"

interface Entry {
  observation: Observation
  changed: Latch.Latch
  waiters: number
}

const unheard = (observation: Observation): Entry => ({
  observation,
  changed: Latch.makeUnsafe(false),
  waiters: 0
})

export class PodWatch extends Context.Service<
  PodWatch,
  {
    /** Registers interest in a Pod from a view of it; released with the scope. */
    readonly track: (view: PodView) => Effect.Effect<void, never, Scope.Scope>
    /** Says that the end of a tracked Pod is our own doing. */
    readonly expectEnd: (uid: string) => Effect.Effect<void>
    /** The observation of a tracked Pod as soon as it differs from `seen`; a connector may run for a month. */
    readonly next: (uid: string, seen: Observation | undefined) => Effect.Effect<Observation>
    /** Live Pods as far as known, the later ones last; complete once synced. */
    readonly live: Effect.Effect<ReadonlyArray<PodView>>
    /** The live Pod that is meant; of two of one name the later is the one that is there. */
    readonly find: (predicate: (view: PodView) => boolean) => Effect.Effect<PodView | undefined>
    /** Waits for the first complete list, for ever: without it no Pod may be made, and readiness says so. */
    readonly synced: Effect.Effect<void>
    /** False until the first list, and where nothing was heard from the API server for too long. */
    readonly healthy: Effect.Effect<boolean>
  }
>()("olake-worker/kubernetes/PodWatch") {
  static readonly layer = Layer.effect(
    PodWatch,
    Effect.gen(function* () {
      const kubernetes = yield* KubernetesClient
      const scope = yield* Effect.scope
      const entries = new Map<string, Entry>()
      /** Uids proved gone since the last list. */
      const departed = new Set<string>()
      const ready = yield* Latch.make(false)
      let lastHeard = 0
      /** The watch claims to have told of every change up to this version. */
      let heardUpTo = 0

      const put = (news: Omit<Observation, "asked">, asked = false): Effect.Effect<void> =>
        Effect.suspend(() => {
          const { uid } = news.view
          const entry = entries.get(uid)
          const next = after(entry?.observation, { ...news, asked }, departed.has(uid))
          if (news.gone) departed.add(uid)
          if (next === undefined || next === entry?.observation) return Effect.void
          if (entry === undefined) {
            entries.set(uid, unheard(next))
            return Effect.void
          }
          if (next.gone && entry.waiters === 0) entries.delete(uid)
          const { changed } = entry
          entry.observation = next
          entry.changed = Latch.makeUnsafe(false)
          return changed.open
        })

      /** A Pod that left the list may have lost its label only: ask for it by name, until there is an answer. */
      const proveGone = (view: PodView): Effect.Effect<void> =>
        kubernetes.readPod(view.name).pipe(
          Effect.matchEffect({
            onSuccess: (pod) =>
              pod.metadata.uid === view.uid
                ? put({ view: fromPod(pod), gone: false })
                : put({ view, gone: true }),
            onFailure: (error) => (error.isNotFound ? put({ view, gone: true }) : Effect.fail(error))
          }),
          Effect.retry({ schedule: backoff }),
          Effect.ignore
        )

      const left = (view: PodView) =>
        isGoneWith(view) ? put({ view, gone: true }) : Effect.asVoid(Effect.forkIn(proveGone(view), scope))

      const onFrame = Effect.fnUntraced(function* (frame: WatchFrame<PodJson>) {
        lastHeard = yield* Clock.currentTimeMillis
        heardUpTo = Math.max(heardUpTo, Number(frame.object.metadata.resourceVersion ?? 0))
        if (frame.type === "BOOKMARK") return
        const view = fromPod(frame.object)
        yield* frame.type === "DELETED" ? left(view) : put({ view, gone: false })
        yield* PodWatchMetrics.known(entries.size)
      })

      const list = Effect.fnUntraced(function* () {
        const { items, resourceVersion: listed } = yield* kubernetes.listPods(SELECTOR)
        yield* PodWatchMetrics.listed
        const present = new Set<string>()
        let passedOver = 0
        const takeIn = (pod: PodJson) =>
          Effect.suspend(() => {
            const view = fromPod(pod)
            present.add(view.uid)
            const known = entries.get(view.uid)?.observation
            if (wasMissed(view, known, departed.has(view.uid), heardUpTo)) passedOver += 1
            return put({ view, gone: false })
          })
        for (const pod of items) {
          // One Pod that cannot be made sense of must not cost the others their watch.
          yield* Effect.catchDefect(takeIn(pod), (defect) =>
            Effect.logError("a Pod was not understood", defect)
          )
        }
        for (const { observation } of Array.from(entries.values())) {
          if (!observation.gone && !present.has(observation.view.uid)) {
            yield* Effect.forkIn(proveGone(observation.view), scope)
          }
        }
        yield* PodWatchMetrics.passedOver(passedOver)
        departed.clear()
        lastHeard = yield* Clock.currentTimeMillis
        yield* PodWatchMetrics.known(entries.size)
        yield* ready.open
        return listed
      })()

      yield* Effect.forkScoped(
        ListWatch.follow<PodJson>({
          what: "Pods",
          list,
          watch: (version, timeout) => kubernetes.watchPods(SELECTOR, version, timeout),
          onFrame,
          onBreak: (error) => Effect.as(PodWatchMetrics.broke(error), undefined)
        })
      )

      const live = Effect.sync(() =>
        Array.from(entries.values()).flatMap(({ observation: { view, gone } }) => (gone ? [] : [view]))
      )

      return PodWatch.of({
        track: (view) =>
          Effect.acquireRelease(
            Effect.gen(function* () {
              yield* put({ view, gone: false })
              const entry = entries.get(view.uid) ?? unheard({ view, gone: true, asked: false })
              entries.set(view.uid, entry)
              entry.waiters += 1
            }),
            () =>
              Effect.sync(() => {
                const entry = entries.get(view.uid)
                if (entry === undefined) return
                entry.waiters -= 1
                if (entry.waiters === 0 && entry.observation.gone) entries.delete(view.uid)
              })
          ),
        expectEnd: (uid) =>
          Effect.suspend(() => {
            const entry = entries.get(uid)
            return entry === undefined ? Effect.void : put(entry.observation, true)
          }),
        next: Effect.fnUntraced(function* (uid, seen) {
          while (true) {
            const entry = entries.get(uid)
            if (entry === undefined) return yield* Effect.die(new Error(`Pod ${uid} is not tracked`))
            if (entry.observation !== seen) return entry.observation
            yield* entry.changed.await
          }
        }),
        live,
        find: (predicate) => Effect.map(live, (views) => views.findLast(predicate)),
        synced: ready.await,
        healthy: Effect.map(Clock.currentTimeMillis, (now) => lastHeard > 0 && now - lastHeard < TOO_LONG)
      })
    })
  )
}

/** A watch that was not heard for longer is not healthy. */
const TOO_LONG = Duration.toMillis("300 seconds")

/** Between two questions whether a Pod is gone. */
const backoff = capped("1 second", "30 seconds")
