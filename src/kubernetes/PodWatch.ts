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
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { KubernetesClient } from "./api/KubernetesClient.ts"
import type { KubernetesError } from "./api/KubernetesError.ts"
import * as ListWatch from "./api/ListWatch.ts"
import type { WatchFrame } from "./api/ApiLists.ts"
import { fromPod, hasEnded, type PodJson, type PodView } from "./pod/PodView.ts"

/** What is known of one Pod: its latest view, and whether it was proved gone since. */
export interface Observation {
  readonly view: PodView
  readonly gone: boolean
  /** Whether this process has asked it to go. */
  readonly asked: boolean
}

/** Pods of this worker and of the Go worker before it. */
const SELECTOR = "app.kubernetes.io/managed-by=olake-workers"

const reconnects = Metric.counter("pod_watch_reconnects_total", {
  description: "Watches that ended, by cause",
  incremental: true
})
const relists = Metric.counter("pod_watch_relists_total", {
  description: "Full lists of Pods",
  incremental: true
})
const missed = Metric.counter("pod_watch_missed_events_total", {
  description: "Changes of Pods that a list has and the watch before it had passed over",
  incremental: true
})
const tracked = Metric.gauge("pods_tracked", { description: "Pods the watch knows" })

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

/** One Pod that cannot be made sense of must not cost the others their watch. */
const notUnderstood = (handling: Effect.Effect<void, KubernetesError>) =>
  Effect.catchDefect(handling, (defect) => Effect.logError("a Pod was not understood", defect))

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
      /** Uids proved gone since the last list: a late answer must not bring one back, for nothing would end it. */
      const departed = new Set<string>()
      const ready = yield* Latch.make(false)
      let lastHeard = 0
      /** The watch claims to have told of every change up to this version. */
      let heardUpTo = 0

      const put = (observation: Omit<Observation, "asked">, asked = false): Effect.Effect<void> =>
        Effect.suspend(() => {
          const { uid } = observation.view
          const entry = entries.get(uid)
          if (observation.gone) departed.add(uid)
          if (entry === undefined) {
            if (!departed.has(uid)) entries.set(uid, unheard({ ...observation, asked }))
            return Effect.void
          }
          // An answer to a call may be older than what the watch has said since.
          if (entry.observation.gone || observation.view.version < entry.observation.view.version)
            return Effect.void
          if (observation.gone && entry.waiters === 0) entries.delete(uid)
          const { changed } = entry
          entry.observation = { ...observation, asked: asked || entry.observation.asked }
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
        hasEnded(view) || view.deletionTimestamp !== undefined
          ? put({ view, gone: true })
          : Effect.asVoid(Effect.forkIn(proveGone(view), scope))

      const onFrame = Effect.fnUntraced(function* (frame: WatchFrame<PodJson>) {
        lastHeard = yield* Clock.currentTimeMillis
        heardUpTo = Math.max(heardUpTo, Number(frame.object.metadata.resourceVersion ?? 0))
        if (frame.type === "BOOKMARK") return
        const view = fromPod(frame.object)
        yield* frame.type === "DELETED" ? left(view) : put({ view, gone: false })
        yield* Metric.update(tracked, entries.size)
      })

      const wasMissed = ({ uid, version }: PodView): boolean => {
        const known = entries.get(uid)?.observation.view.version
        return version <= heardUpTo && (known === undefined ? !departed.has(uid) : known < version)
      }

      const list = Effect.fnUntraced(function* () {
        const { items, resourceVersion: listed } = yield* kubernetes.listPods(SELECTOR)
        yield* Metric.update(relists, 1)
        const present = new Set<string>()
        let passedOver = 0
        for (const pod of items) {
          yield* Effect.sync(() => fromPod(pod)).pipe(
            Effect.tap((view) =>
              Effect.sync(() => {
                present.add(view.uid)
                if (wasMissed(view)) passedOver += 1
              })
            ),
            Effect.flatMap((view) => put({ view, gone: false })),
            notUnderstood
          )
        }
        for (const { observation } of Array.from(entries.values())) {
          if (!observation.gone && !present.has(observation.view.uid)) {
            yield* Effect.forkIn(proveGone(observation.view), scope)
          }
        }
        if (passedOver > 0) {
          yield* Metric.update(missed, passedOver)
          yield* Effect.logWarning(
            `the watch of Pods had missed ${passedOver} changes; a list has found them`
          )
        }
        departed.clear()
        lastHeard = yield* Clock.currentTimeMillis
        yield* Metric.update(tracked, entries.size)
        yield* ready.open
        return listed
      })()

      yield* Effect.forkScoped(
        ListWatch.follow<PodJson>({
          what: "Pods",
          list,
          watch: (version, timeout) => kubernetes.watchPods(SELECTOR, version, timeout),
          onFrame,
          onBreak: (error) =>
            Metric.update(
              Metric.withAttributes(reconnects, {
                cause: error.isExpired ? "expired" : String(error.status)
              }),
              1
            ).pipe(Effect.as(undefined))
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
const backoff = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])
