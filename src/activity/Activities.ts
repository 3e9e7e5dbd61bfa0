/** Every activity this worker registers, by Temporal activity type. Workflows import its type only. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { WorkerConfig } from "../Config.ts"
import { AlertParams, StopParams } from "../olake/contract/Current.ts"
import { IndicatorRequest } from "../olake/contract/Indicator.ts"
import * as Doors from "../olake/contract/Doors.ts"
import type { Subject } from "../olake/contract/Request.ts"
import type { Operation } from "../olake/Job.ts"
import { alert } from "./Alert.ts"
import * as Boundary from "./Boundary.ts"
import { indicator } from "./Indicator.ts"
import { check } from "./short/Check.ts"
import { direct } from "./short/Direct.ts"
import { discover } from "./short/Discover.ts"
import { clear } from "./writer/Clear.ts"
import { endClear } from "./writer/EndClear.ts"
import { endSync } from "./writer/EndSync.ts"
import { stop } from "./writer/Stop.ts"
import { sync } from "./writer/Sync.ts"

const role = (does: "works" | "saves", operation: Operation) => ({
  role: { does, operation, subject: (request: Subject) => request }
})
const waits = { detachesOnDrain: true }
const toTheEnd = { detachesOnDrain: false }

export const make = Effect.gen(function* () {
  const turns = yield* Semaphore.make((yield* WorkerConfig).concurrency.activities)
  const inTurn = { ...toTheEnd, turns }
  const executed = {
    direct: yield* Boundary.make("ExecuteActivity", Doors.direct, direct, {
      ...inTurn,
      ...role("works", "discover")
    }),
    clear: yield* Boundary.make("ExecuteActivity", Doors.clear, clear, {
      ...waits,
      ...role("works", "clear-destination")
    })
  }
  return yield* Effect.all({
    DiscoverCatalogActivity: Boundary.make("DiscoverCatalogActivity", Doors.discover, discover, {
      ...inTurn,
      ...role("works", "discover")
    }),
    TestConnectionActivity: Boundary.make("TestConnectionActivity", Doors.check, check, {
      ...inTurn,
      ...role("works", "check")
    }),
    SyncActivity: Boundary.make("SyncActivity", Doors.sync, sync, { ...waits, ...role("works", "sync") }),
    PostSyncActivity: Effect.map(
      Boundary.make("PostSyncActivity", Doors.endSync, endSync, { ...toTheEnd, ...role("saves", "sync") }),
      (end) => (wire: unknown, status?: unknown) => end(Doors.withStatus(wire, status))
    ),
    ExecuteActivity: Effect.succeed((wire: unknown) =>
      Doors.isClear(wire) ? executed.clear(wire) : executed.direct(wire)
    ),
    PostClearActivity: Boundary.make("PostClearActivity", Doors.endClear, endClear, {
      ...toTheEnd,
      ...role("saves", "clear-destination")
    }),
    StopActivity: Boundary.make("StopActivity", Doors.plain(StopParams), stop, toTheEnd),
    SendWebhookNotificationActivity: Boundary.make(
      "SendWebhookNotificationActivity",
      Doors.plain(AlertParams),
      alert,
      toTheEnd
    ),
    IndicatorActivity: Boundary.make("IndicatorActivity", Doors.plain(IndicatorRequest), indicator, toTheEnd)
  })
})

export type Activities = Effect.Success<typeof make>
