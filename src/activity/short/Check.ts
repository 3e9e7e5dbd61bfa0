/** `TestConnectionActivity`: whether the connector reaches its source or destination. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { WorkerConfig } from "../../Config.ts"
import type { PodExit } from "../../kubernetes/PodEnd.ts"
import type { CheckRequest } from "../../olake/contract/Request.ts"
import * as Connector from "../../olake/Connector.ts"
import { type ConnectionStatus, connectionStatus } from "../../olake/ConnectorOutput.ts"
import type { Job } from "../../olake/Job.ts"
import type { ActivityRun } from "../Activity.ts"
import { explain, ownLog, terminationMessage } from "../Explain.ts"
import { annotated, ResultMissing, shortRun } from "./ShortRun.ts"

/** From the cheapest place to the dearest: the shared storage, the Pod's status, the Pod's log. */
const findStatus = Effect.fnUntraced(function* (exit: PodExit, job: Job) {
  const own = Option.flatMapNullishOr(yield* ownLog(exit, job), connectionStatus)
  if (Option.isSome(own)) return own.value
  const last = connectionStatus(terminationMessage(exit))
  if (last !== undefined) return last
  return connectionStatus(yield* exit.log.pipe(Effect.orElseSucceed(() => "")))
})

/** What the connector has found out about the connection. */
export const statusOf = Effect.fnUntraced(function* (exit: PodExit, job: Job) {
  const { failure } = exit
  // Connectors since v0.9.0 exit with 1 when the connection fails: that too is an answer, not an accident.
  if (failure === undefined || failure.class === "ConnectorFailed") {
    const status: ConnectionStatus | undefined = yield* findStatus(exit, job)
    if (status !== undefined) return status
  }
  if (failure !== undefined) return yield* yield* explain(exit, failure, job)
  return yield* new ResultMissing({
    operation: "check",
    expected: "a connectionStatus",
    connector: job.connector
  })
})

export const check = Effect.fn("activity.check")(
  function* (request: CheckRequest, activity: ActivityRun) {
    const { jobs, timeouts } = yield* WorkerConfig
    const { job, exit } = yield* shortRun(
      {
        request,
        command: Connector.check(request, jobs.secretKey),
        timeout: timeouts.test,
        variable: "TIMEOUT_ACTIVITY_TEST"
      },
      activity
    )
    return yield* statusOf(exit, job)
  },
  Effect.scoped,
  annotated
)
