/**
 * What OLake's UI expects of Temporal's namespace: the search attribute OperationType, and how long closed runs are
 * kept. Best effort: without the right to set them up, somebody else has to, and the log says what.
 */
import { msToTs } from "@temporalio/common/lib/time.js"
import type { temporal } from "@temporalio/proto"
import type { NativeConnection } from "@temporalio/worker"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { WorkerConfig } from "../Config.ts"
import { bounded } from "../Schedules.ts"
import { TemporalClient } from "./TemporalClient.ts"
import { textOf } from "./TemporalUnavailable.ts"

export const ATTRIBUTE = "OperationType"
// SAFETY: its number in temporal.api.enums.v1; a value import of that package does not work in ES modules
// eslint-disable-next-line typescript/no-unsafe-enum-assignment -- see above
export const KEYWORD = 2 as temporal.api.enums.v1.IndexedValueType

const LIMIT = "10 seconds"

const attempt = <A>(run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: textOf
  }).pipe(bounded(LIMIT, Effect.fail))

const registerAttribute = (connection: NativeConnection, namespace: string) =>
  Effect.gen(function* () {
    const { operatorService } = connection
    const { customAttributes } = yield* attempt(() => operatorService.listSearchAttributes({ namespace }))
    if (ATTRIBUTE in (customAttributes ?? {})) return
    yield* attempt(() =>
      operatorService.addSearchAttributes({ namespace, searchAttributes: { [ATTRIBUTE]: KEYWORD } })
    )
    yield* Effect.logInfo(`Temporal: search attribute ${ATTRIBUTE} registered in namespace ${namespace}`)
  }).pipe(
    Effect.catch((problem) =>
      Effect.logWarning(
        `Temporal: cannot make sure of search attribute ${ATTRIBUTE}: ${problem}. Where it is missing, syncs do not start. Register it once: temporal operator search-attribute create --namespace ${namespace} --name ${ATTRIBUTE} --type Keyword`
      )
    )
  )

const keepRuns = (connection: NativeConnection, namespace: string, retention: Duration.Duration) =>
  Effect.gen(function* () {
    const { workflowService } = connection
    const { config } = yield* attempt(() => workflowService.describeNamespace({ namespace }))
    const wanted = msToTs(Duration.toMillis(retention))
    if (String(config?.workflowExecutionRetentionTtl?.seconds) === String(wanted.seconds)) return
    yield* attempt(() =>
      workflowService.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl: wanted } })
    )
    yield* Effect.logInfo(
      `Temporal: namespace ${namespace} keeps closed runs for ${Duration.format(retention)}`
    )
  }).pipe(
    Effect.catch((problem) =>
      Effect.logWarning(
        `Temporal: cannot set the retention of namespace ${namespace}: ${problem}; it stays as it is`
      )
    )
  )

export const setUp = Effect.gen(function* () {
  const { namespace, retention } = (yield* WorkerConfig).temporal
  const connection = yield* (yield* TemporalClient).connection
  yield* registerAttribute(connection, namespace)
  if (retention !== undefined) yield* keepRuns(connection, namespace, retention)
})
