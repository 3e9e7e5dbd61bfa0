/** Every activity this worker registers, by Temporal activity type. Workflows import its type only. */
import * as Effect from "effect/Effect"
import { DiscoverParams, PersistParams, SyncParams, TestParams } from "../olake/ActivityParams.ts"
import * as ActivityBoundary from "./ActivityBoundary.ts"
import { discover } from "./Discover.ts"
import { persist } from "./Persist.ts"
import { sync } from "./Sync.ts"
import { test } from "./Test.ts"

const toTheEnd = { detachesOnDrain: false }
const detaches = { detachesOnDrain: true }

export const make = Effect.all({
  DiscoverCatalogActivity: ActivityBoundary.make(
    "DiscoverCatalogActivity",
    DiscoverParams,
    discover,
    toTheEnd
  ),
  TestConnectionActivity: ActivityBoundary.make("TestConnectionActivity", TestParams, test, toTheEnd),
  SyncActivity: ActivityBoundary.make("SyncActivity", SyncParams, sync, detaches),
  PostSyncActivity: ActivityBoundary.make("PostSyncActivity", PersistParams, persist, toTheEnd)
})

export type Activities = Effect.Success<typeof make>
