/** Runs each Pod's first container as a local process, or plays a test's script, and reports as a kubelet does. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Semaphore from "effect/Semaphore"
import { execution } from "./Execution.ts"
import { missingClaim } from "./Mounts.ts"
import { makePause, type Node, report, setStatus, type Stay } from "./Node.ts"
import { type KubeObject, timestamp } from "./api/Objects.ts"
import { specOf } from "./Pod.ts"
import { PodLog } from "./PodProcess.ts"
import * as PodStatus from "./PodStatus.ts"
import { preparation, until } from "./Preparation.ts"

/** One step of a Pod that no process runs: what its status becomes, after a while. */
export interface ScenarioStep {
  readonly afterMillis?: number
  /** Waited for besides. */
  readonly after?: Effect.Effect<void>
  readonly status?: PodStatus.PodStatus
  /** Printed by the container. */
  readonly log?: string
  /** The Pod vanishes, as if someone had deleted it by force. */
  readonly gone?: true
}

export interface Scenario {
  readonly steps: ReadonlyArray<ScenarioStep>
  /** Played when the Pod is deleted, before it is gone. */
  readonly onDelete?: ReadonlyArray<ScenarioStep>
}

export type ScenarioOf = (pod: KubeObject) => Scenario | undefined

const play = Effect.fnUntraced(function* (
  node: Node,
  { pod, log }: Stay,
  steps: ReadonlyArray<ScenarioStep>
) {
  for (const step of steps) {
    yield* makePause(step.afterMillis ?? 0)
    if (step.after !== undefined) yield* step.after
    if (step.log !== undefined) log.append(Buffer.from(step.log))
    if (step.status !== undefined) yield* setStatus(node, pod, step.status, "local-pods")
    if (step.gone === true) node.store.remove("pods", pod.metadata)
  }
})

const perform = (node: Node, stay: Stay, { steps, onDelete = [] }: Scenario) =>
  Effect.raceFirst(Effect.andThen(play(node, stay, steps), Effect.never), Deferred.await(stay.deleted)).pipe(
    Effect.andThen(play(node, stay, onDelete))
  )

const onNode = Effect.fnUntraced(function* (node: Node, stay: Stay) {
  const command = yield* Effect.raceFirst(
    preparation(node, stay),
    Effect.as(Deferred.await(stay.deleted), undefined)
  )
  yield* command === undefined
    ? report(node, stay, "Failed", PodStatus.LOST)
    : Effect.scoped(execution(node, stay, command))
})

/** Follows the store from now on; its fibers and their processes end with the scope. */
export const start = Effect.fnUntraced(function* (node: Node, scenarioOf: ScenarioOf) {
  const places = yield* Semaphore.make(node.maxPods)
  const stays = new Map<string, Stay>()
  const fibers = yield* FiberMap.makeRuntime<never, string>()
  let placed = 0

  const live = Effect.fnUntraced(function* (stay: Stay) {
    const { pod } = stay
    const scenario = scenarioOf(pod)
    const unscheduled = (why: string) =>
      setStatus(node, pod, PodStatus.unschedulable(timestamp(), `0/1 nodes are available: ${why}`))
    if (scenario === undefined) {
      const missing = () => missingClaim(specOf(pod), node.claims)
      yield* until(
        node,
        Effect.sync(() => (missing() === undefined ? true : undefined)),
        () => unscheduled(`persistentvolumeclaim "${missing()}" not found.`)
      )
      if (placed >= node.maxPods) yield* unscheduled("1 Too many pods.")
      const work = Effect.suspend(() => {
        placed++
        return onNode(node, { ...stay, started: Date.now() })
      }).pipe(Effect.ensuring(Effect.sync(() => placed--)))
      yield* places.withPermits(1)(work)
    } else {
      yield* perform(node, stay, scenario)
    }
    if (Deferred.isDoneUnsafe(stay.deleted)) node.store.remove("pods", pod.metadata)
  })

  const unlisten = node.store.listen(({ type, resource, object }) => {
    if (resource !== "pods") return
    const { uid, deletionTimestamp } = object.metadata
    if (type === "ADDED") {
      const stay = {
        pod: object,
        log: new PodLog(),
        deleted: Deferred.makeUnsafe<void>(),
        started: Date.now()
      }
      stays.set(uid, stay)
      fibers(uid, live(stay))
    } else if (type === "DELETED") {
      stays.delete(uid)
      fibers(uid, Effect.void)
    } else if (deletionTimestamp !== undefined) {
      const stay = stays.get(uid)
      if (stay !== undefined) Deferred.doneUnsafe(stay.deleted, Effect.void)
    }
  })
  yield* Effect.addFinalizer(() => Effect.sync(unlisten))
  return { logOf: (uid: string): PodLog | undefined => stays.get(uid)?.log }
})
