/** What Temporal has of the namespace and the task queue; changes nothing. */
import { optionalTsToMs } from "@temporalio/common/lib/time.js"
import type { temporal } from "@temporalio/proto"
import type { NativeConnection } from "@temporalio/worker"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { WorkerConfig } from "../Config.ts"
import { ATTRIBUTE, KEYWORD } from "./Namespace.ts"
import { TemporalClient } from "./TemporalClient.ts"
import { textOf, unavailable } from "./TemporalUnavailable.ts"

/** gRPC's status */
const NOT_FOUND = 5

const ask = <A>(operation: string, call: (connection: NativeConnection, namespace: string) => Promise<A>) =>
  Effect.gen(function* () {
    const { namespace } = (yield* WorkerConfig).temporal
    const client = yield* TemporalClient
    return yield* client.ask((connection) => call(connection, namespace))
  }).pipe(
    Effect.mapError((cause) => (cause instanceof Error ? cause : unavailable(operation)(textOf(cause))))
  )

/** How long closed runs are kept, for people; undefined where there is no such namespace. */
export const retention = ask("describe the namespace", ({ workflowService }, namespace) =>
  workflowService.describeNamespace({ namespace })
).pipe(
  Effect.map(({ config }) =>
    Duration.format(Duration.millis(optionalTsToMs(config?.workflowExecutionRetentionTtl) ?? 0))
  ),
  Effect.catchIf(
    (error) => Predicate.hasProperty(error, "code") && error.code === NOT_FOUND,
    () => Effect.succeed(undefined)
  )
)

/** `Keyword`, or what it is otherwise; undefined where it is not registered. */
export const attributeType = ask("list search attributes", ({ operatorService }, namespace) =>
  operatorService.listSearchAttributes({ namespace })
).pipe(
  Effect.map(({ customAttributes }) => {
    const type = customAttributes?.[ATTRIBUTE]
    return type === undefined ? undefined : type === KEYWORD ? "Keyword" : `type ${type}`
  })
)

// SAFETY: their numbers in temporal.api.enums.v1, see Namespace.ts
// eslint-disable-next-line typescript/no-unsafe-enum-assignment -- see above
const [WORKFLOW, ACTIVITY] = [1, 2] as ReadonlyArray<temporal.api.enums.v1.TaskQueueType>

const described = (queue: string, type: temporal.api.enums.v1.TaskQueueType | undefined) =>
  ask(`describe task queue ${queue}`, ({ workflowService }, namespace) =>
    workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: queue },
      ...(type === undefined ? {} : { taskQueueType: type })
    })
  ).pipe(Effect.map(({ pollers }) => pollers ?? []))

/** Workers that have asked for work lately, as they name themselves. */
export const pollers = (queue: string) =>
  Effect.map(Effect.all([described(queue, WORKFLOW), described(queue, ACTIVITY)]), (both) =>
    [...new Set(both.flat().map(({ identity }) => identity ?? ""))].toSorted()
  )

/**
 * Temporal's clock, in milliseconds since the epoch. It tells the time nowhere but in what it has seen: so something is
 * shown to it, a question for work on a queue of its own.
 */
export const clock = Effect.gen(function* () {
  const name = `olake-doctor-${(yield* Random.nextIntBetween(0, 2 ** 32)).toString(16)}`
  const poll = ask("ask for work", ({ workflowService }, namespace) =>
    workflowService.pollActivityTaskQueue({ namespace, taskQueue: { name }, identity: "olake-worker doctor" })
  )
  const seen = described(name, ACTIVITY).pipe(
    Effect.map(([poller]) => optionalTsToMs(poller?.lastAccessTime)),
    Effect.filterOrFail((time) => time !== undefined),
    Effect.retry(Schedule.spaced("50 millis"))
  )
  return yield* Effect.raceFirst(Effect.andThen(Effect.ignore(poll), Effect.never), seen)
})
