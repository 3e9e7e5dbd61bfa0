/** Temporal's frontend goes away while syncs run, and while they end. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { freePort } from "../../dev/world/FreePort.ts"
import { eventually } from "../support/Conditions.ts"
import { oneResult, runningSync } from "../support/world/Runs.ts"
import { tcpProxy } from "../support/world/TcpProxy.ts"
import { startReadyWorker } from "../../dev/world/Worker.ts"
import { suiteOnLocalPods } from "../support/world/Suites.ts"
import { replaceWorker, World } from "../support/world/World.ts"

/** A worker that reaches Temporal by a proxy, in the place of the world's own. */
const proxied = Effect.gen(function* () {
  const { env } = yield* World
  const proxy = yield* tcpProxy(env.TEMPORAL_HOST_PORT ?? "")
  const worker = yield* replaceWorker({ TEMPORAL_HOST_PORT: proxy.address, POD_NAME: "worker-1" })
  return { proxy, worker }
})

const syncs = (seconds: ReadonlyArray<number>) =>
  Effect.all(
    seconds.map((each) => runningSync(each, (job) => job)),
    { concurrency: "unbounded" }
  )

/** Of the activities of a history, the attempt in which each ended. */
const attemptsOf = (history: string): ReadonlyArray<number> => {
  const { events } = JSON.parse(history) as {
    readonly events: ReadonlyArray<{
      readonly activityTaskStartedEventAttributes?: { readonly attempt: number }
    }>
  }
  return events.flatMap(({ activityTaskStartedEventAttributes: started }) =>
    started === undefined ? [] : [started.attempt]
  )
}

const created = (output: string): number => output.split("Pod created").length - 1

// The longest first: each of these waits through an outage of its own.
suiteOnLocalPods("Temporal's frontend", "plain", (it) => {
  it.effect(
    "is away until the heartbeats are overdue: the next attempts find their Pods, one Pod and one result a sync",
    () =>
      Effect.gen(function* () {
        const { proxy, worker } = yield* proxied
        const all = yield* syncs([30, 160])
        yield* proxy.refuse
        yield* Effect.sleep("140 seconds")
        yield* proxy.pass
        const runs = yield* Effect.forEach(all, oneResult)
        // Of the one that runs on for certain; the other's end may be told in its first attempt.
        assert.include(attemptsOf(runs[1]?.history ?? ""), 2)
        assert.strictEqual(created(worker.output()), all.length)
        assert.notInclude(worker.output(), "asked to stop")
      }),
    240_000
  )
})

suiteOnLocalPods("Temporal's frontend", "plain", (it) => {
  it.effect(
    "is away for 16 s, then unreachable for 45 s: nothing times out, one Pod and one result a sync",
    () =>
      Effect.gen(function* () {
        const { proxy, worker } = yield* proxied
        // Two end while it is away, each in another outage; the third outlives both.
        const all = yield* syncs([8, 40, 75])
        yield* proxy.refuse
        yield* Effect.sleep("16 seconds")
        yield* proxy.pass
        const [first] = all
        assert(first !== undefined)
        yield* oneResult(first)
        yield* proxy.hold
        yield* Effect.sleep("45 seconds")
        yield* proxy.pass
        for (const sync of all) {
          const { history } = yield* oneResult(sync)
          // What the SDK dropped of an answer is taken over after the outage, not at the heartbeat's timeout.
          assert.notInclude(history, "timeoutFailureInfo")
          assert.isAtMost(Math.max(...attemptsOf(history)), 2)
        }
        assert.strictEqual(created(worker.output()), all.length)
        assert.match(worker.output(), /Temporal at .* does not answer[^]*Temporal answers again/)
      }),
    180_000
  )
})

suiteOnLocalPods("a worker that Temporal has given up", "plain", (it) => {
  it.effect(
    "leaves its sync to the next one without a word, and touches no Pod",
    () =>
      Effect.gen(function* () {
        const { env, platform } = yield* World
        const { proxy, worker } = yield* proxied
        const [sync] = yield* syncs([60])
        assert(sync !== undefined)
        yield* proxy.refuse
        const next = yield* startReadyWorker({
          ...env,
          POD_NAME: "worker-2",
          HEALTH_PORT: String(yield* Effect.promise(freePort))
        })
        yield* eventually(
          "the other takes over",
          () => (next.output().includes("Pod of this run found") ? true : undefined),
          "15 seconds"
        )
        yield* proxy.pass
        yield* eventually(
          "the first leaves",
          () => (worker.output().includes("was interrupted") ? true : undefined),
          "40 seconds"
        )
        assert.lengthOf(yield* Effect.promise(() => platform.pods()), 1)
        yield* oneResult(sync)
        assert.strictEqual(created(worker.output() + next.output()), 1)
        assert.notMatch(worker.output(), /Pod (deleted|removed)|asked to stop/)
      }),
    120_000
  )
})

suiteOnLocalPods("a worker", "plain", (it) => {
  it.effect(
    "has told a result whose answer is lost: it counts once",
    () =>
      Effect.gen(function* () {
        const { temporal } = yield* World
        const { proxy, worker } = yield* proxied
        const [sync] = yield* syncs([4])
        assert(sync !== undefined)
        yield* proxy.mute
        yield* eventually(
          "the result is told",
          () =>
            Effect.runPromise(temporal(["workflow", "show", "--workflow-id", sync.id, "-o", "json"])).then(
              ({ stdout }) => (stdout.includes("ACTIVITY_TASK_COMPLETED") ? true : undefined)
            ),
          "60 seconds"
        )
        yield* proxy.refuse
        yield* proxy.pass
        const { history } = yield* oneResult(sync)
        assert.deepStrictEqual(new Set(attemptsOf(history)), new Set([1]))
        assert.strictEqual(created(worker.output()), 1)
      }),
    90_000
  )
})
