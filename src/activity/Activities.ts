/** Every activity this worker registers, by Temporal activity type. Workflows import its type only. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Semaphore from "effect/Semaphore"
import { WorkerConfig } from "../Config.ts"
import { DiscoverParams, PersistParams, SyncParams, TestParams } from "../olake/ActivityParams.ts"
import {
  AlertParams,
  ClearEnded,
  ClearRequest,
  DirectRequest,
  StopParams,
  SyncEnded,
  SyncRequest
} from "../olake/ExecutionRequest.ts"
import type { Operation } from "../olake/Job.ts"
import * as ActivityBoundary from "./ActivityBoundary.ts"
import { alert } from "./Alert.ts"
import { clear } from "./Clear.ts"
import { discover } from "./Discover.ts"
import { execute } from "./Execute.ts"
import { persist } from "./Persist.ts"
import { postClear } from "./PostClear.ts"
import { stop } from "./Stop.ts"
import type { Role } from "./Subject.ts"
import { sync } from "./Sync.ts"
import { test } from "./Test.ts"
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
    DiscoverCatalogActivity: ActivityBoundary.make("DiscoverCatalogActivity", DiscoverParams, discover, {
      ...inTurn,
      ...works("discover")
    }),
    TestConnectionActivity: ActivityBoundary.make("TestConnectionActivity", TestParams, test, {
      ...inTurn,
      ...works("check")
    }),
    SyncActivity: ActivityBoundary.make(
      "SyncActivity",
      (wire) => (isFirst(wire) ? SyncParams : SyncRequest),
      sync,
      { ...waits, ...works("sync") }
    ),
    PostSyncActivity: ActivityBoundary.make(
      "PostSyncActivity",
      (wire) => (isFirst(wire) ? PersistParams : SyncEnded),
      persist,
      { ...toTheEnd, ...saves("sync") }
    ),
    ExecuteActivity: Effect.map(
      Effect.all({
        direct: ActivityBoundary.make("ExecuteActivity", DirectRequest, execute, {
          ...inTurn,
          ...works("discover")
        }),
        clearing: ActivityBoundary.make("ExecuteActivity", ClearRequest, clear, {
          ...waits,
          ...works("clear-destination")
        })
      }),
      ({ direct, clearing }) =>
        (wire: unknown) =>
          isClear(wire) ? clearing(wire) : direct(wire)
    ),
    PostClearActivity: ActivityBoundary.make("PostClearActivity", ClearEnded, postClear, {
      ...toTheEnd,
      ...saves("clear-destination")
    }),
    StopActivity: ActivityBoundary.make("StopActivity", StopParams, stop, toTheEnd),
    SendWebhookNotificationActivity: ActivityBoundary.make(
      "SendWebhookNotificationActivity",
      AlertParams,
      alert,
      toTheEnd
    )
  })
})

export type Activities = Effect.Success<typeof make>
