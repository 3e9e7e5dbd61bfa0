/**
 * Workers of a test's own in a world that it shares: on a task queue that no other test has, so that tests which kill
 * their workers run side by side.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { freePort } from "../../../dev/world/FreePort.ts"
import { startReadyWorker } from "../../../dev/world/Worker.ts"
import { uniqueId } from "./Workflows.ts"
import { World } from "./World.ts"

type Over = Readonly<Record<string, string>>
type Part = Partial<Pick<World["Service"], "taskQueue" | "temporal">>

/** The world as another worker sees it, which is started here: on a health port of its own, gone with the scope. */
export const anotherWorker = Effect.fnUntraced(function* (over: Over = {}, part: Part = {}) {
  const world = yield* World
  const healthPort = yield* Effect.promise(freePort)
  const env = { ...world.env, POD_NAME: uniqueId("worker"), HEALTH_PORT: String(healthPort), ...over }
  const worker = yield* startReadyWorker(env)
  return World.of({ ...world, ...part, env, worker, healthPort })
})

/** Runs the test in a world that has a worker and a task queue of its own. */
export const onOwnQueue = <A, E>(test: Effect.Effect<A, E, World | Scope.Scope>, over: Over = {}) =>
  Effect.gen(function* () {
    const taskQueue = uniqueId("queue")
    const own = yield* anotherWorker(
      // By the chart of olake-helm, a namespace and a queue count only where others run Temporal.
      {
        TEMPORAL_EXTERNAL: "true",
        TEMPORAL_NAMESPACE: "default",
        TEMPORAL_TASK_QUEUE: taskQueue,
        ...over
      },
      { taskQueue }
    )
    return yield* Effect.provideService(test, World, own)
  }).pipe(Effect.scoped)

/** Ends the worker of this world as a lost node does. */
export const killed = Effect.flatMap(World, ({ worker }) =>
  Effect.andThen(worker.signal("SIGKILL"), worker.exited)
)
