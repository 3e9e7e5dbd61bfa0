/** The environment of a worker among the parts of dev/. */
import * as Effect from "effect/Effect"
import { freePort } from "./FreePort.ts"
import { Postgres } from "../postgres/Postgres.ts"
import { TemporalServer } from "../temporal/TemporalServer.ts"

export type Env = Readonly<Record<string, string>>

/** Name of the claim that jobs mount. */
export const CLAIM = "olake-shared-storage"

/** Required settings and a free health port; the platform adds its own. */
export const workerEnv = (taskQueue: string, storage: string) =>
  Effect.gen(function* () {
    const postgres = yield* Postgres
    const { address } = yield* TemporalServer
    return {
      TEMPORAL_HOST_PORT: address,
      TEMPORAL_NAMESPACE: "default",
      TEMPORAL_TASK_QUEUE: taskQueue,
      DB_HOST: postgres.host,
      DB_PORT: String(postgres.port),
      DB_NAME: postgres.database,
      DB_USER: postgres.user,
      DB_PASSWORD: postgres.password,
      RUN_MODE: "dev",
      SHARED_STORAGE_PATH: storage,
      OLAKE_STORAGE_PVC_NAME: CLAIM,
      HEALTH_PORT: String(yield* Effect.promise(freePort))
    }
  })
