/** Every activity this worker registers, by Temporal activity type. Workflows import its type only. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Semaphore from "effect/Semaphore"
import { WorkerConfig } from "../Config.ts"
import { DiscoverParams, PersistParams, SyncParams, TestParams } from "../olake/contract/Legacy.ts"
import {
  AlertParams,
  ClearEnded,
  ClearRequest,
  DirectRequest,
  StopParams,
  SyncEnded,
  SyncRequest
} from "../olake/contract/Current.ts"
import type { Operation } from "../olake/Job.ts"
import * as Boundary from "./Boundary.ts"
import { alert } from "./Alert.ts"
import { clear } from "./writer/Clear.ts"
import { discover } from "./short/Discover.ts"
import { direct } from "./short/Direct.ts"
import { endSync } from "./writer/EndSync.ts"
import { endClear } from "./writer/EndClear.ts"
import { stop } from "./writer/Stop.ts"
import type { Role } from "./Tracking.ts"
import { sync } from "./writer/Sync.ts"
import { check } from "./short/Check.ts"
import { logDirectoryOf } from "./WorkerLog.ts"

/** The first contract's keys are Go-cased. */
const isFirst = (wire: unknown): boolean => Predicate.hasProperty(wire, "JobID")

const isClear = (wire: unknown): boolean =>
  Predicate.hasProperty(wire, "command") && wire.command === "clear-destination"

const waits = { detachesOnDrain: true, logDirectory: logDirectoryOf }
const toTheEnd = { detachesOnDrain: false, logDirectory: logDirectoryOf }

const works = (operation: Operation): { readonly role: Role } => ({ role: { does: "works", operation } })
const saves = (operation: Operation): { readonly role: Role } => ({ role: { does: "saves", operation } })

export const make = Effect.gen(function* () {
  const turns = yield* Semaphore.make((yield* WorkerConfig).concurrency.activities)
  const inTurn = { ...toTheEnd, turns }
  return yield* Effect.all({
    DiscoverCatalogActivity: Boundary.make("DiscoverCatalogActivity", DiscoverParams, discover, {
      ...inTurn,
      ...works("discover")
    }),
    TestConnectionActivity: Boundary.make("TestConnectionActivity", TestParams, check, {
      ...inTurn,
      ...works("check")
    }),
    SyncActivity: Boundary.make("SyncActivity", (wire) => (isFirst(wire) ? SyncParams : SyncRequest), sync, {
      ...waits,
      ...works("sync")
    }),
    PostSyncActivity: Boundary.make(
      "PostSyncActivity",
      (wire) => (isFirst(wire) ? PersistParams : SyncEnded),
      endSync,
      { ...toTheEnd, ...saves("sync") }
    ),
    ExecuteActivity: Effect.map(
      Effect.all({
        direct: Boundary.make("ExecuteActivity", DirectRequest, direct, {
          ...inTurn,
          ...works("discover")
        }),
        clearing: Boundary.make("ExecuteActivity", ClearRequest, clear, {
          ...waits,
          ...works("clear-destination")
        })
      }),
      ({ direct, clearing }) =>
        (wire: unknown) =>
          isClear(wire) ? clearing(wire) : direct(wire)
    ),
    PostClearActivity: Boundary.make("PostClearActivity", ClearEnded, endClear, {
      ...toTheEnd,
      ...saves("clear-destination")
    }),
    StopActivity: Boundary.make("StopActivity", StopParams, stop, toTheEnd),
    SendWebhookNotificationActivity: Boundary.make(
      "SendWebhookNotificationActivity",
      AlertParams,
      alert,
      toTheEnd
    )
  })
})

export type Activities = Effect.Success<typeof make>
