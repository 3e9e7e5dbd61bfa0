/** Tells OLake's UI how a sync ended, where its connector has not told it. */
import * as Effect from "effect/Effect"
import { SyncTelemetry } from "../../notification/SyncTelemetry.ts"
import type { EndRequest } from "../../olake/contract/Request.ts"
import { eventOf } from "./SyncEnd.ts"
import * as Telemetry from "./Telemetry.ts"

/** @param finished whether the connector had done all its work */
export const tellEnd = Effect.fnUntraced(function* (request: EndRequest, finished: boolean) {
  const telemetry = yield* SyncTelemetry
  const { outcome, failureType, version, jobId } = request
  // The run goes on with another Pod.
  if (outcome === "interrupted" || (yield* Telemetry.isDisabled)) return
  const facts = yield* Telemetry.factsOf(jobId)
  // The schedule's request has the version of when it was made; the job's row is newer.
  const told = eventOf({ outcome, finished, failureType, version: facts?.sourceVersion || version })
  if (told === undefined) return
  const { event, reason } = told
  if (facts === undefined && reason === undefined) return yield* telemetry.send(event, request)
  const payload = yield* Telemetry.payload(request, facts)
  yield* telemetry.send(
    event,
    request,
    reason === undefined ? payload : { ...payload, failure_reason: reason }
  )
})
