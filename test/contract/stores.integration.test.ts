/** Outages of the two places that hold what a sync has reached: Postgres, and the shared storage as the worker sees it. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as SqlClient from "effect/sql/SqlClient"
import * as fs from "node:fs"
import * as path from "node:path"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { sqlLayer } from "../../dev/postgres/Shop.ts"
import { eventually, temporaryFolder } from "../support/Conditions.ts"
import * as Mounts from "../support/world/Mounts.ts"
import {
  directoryOf,
  insertProbeJob,
  oneResult,
  requestSync,
  runningSync,
  startsIn,
  stateOf,
  succeeded
} from "../support/world/Runs.ts"
import { ask } from "../../dev/world/Worker.ts"
import { ended, uniqueId } from "../support/world/Workflows.ts"
import { suiteIn, type Tests } from "../support/world/Suites.ts"
import { localWorld, replaceWorker, World } from "../support/world/World.ts"

/** The world's worker is replaced by one that has the storage under another path, where a mount can be taken from it alone. */
const withView = Layer.effect(
  World,
  Effect.gen(function* () {
    const world = yield* World
    const view = yield* temporaryFolder
    yield* Effect.acquireRelease(Mounts.bind(world.storage, view), () => Mounts.unmount(view))
    const worker = yield* replaceWorker({ SHARED_STORAGE_PATH: view })
    return World.of({ ...world, worker, env: { ...world.env, SHARED_STORAGE_PATH: view } })
  })
).pipe(Layer.provide(localWorld("chart")))

const viewOf = ({ env }: World["Service"]): string => env.SHARED_STORAGE_PATH ?? ""

/** What the worker says from now on. */
const saying = Effect.map(World, ({ worker }) => {
  const before = worker.output().length
  return (what: RegExp | string, bound?: "50 seconds" | "3 minutes") =>
    eventually(
      `the worker says ${String(what)}`,
      () => {
        const said = worker.output().slice(before)
        return (typeof what === "string" ? said.includes(what) : what.test(said)) ? true : undefined
      },
      bound
    )
})

/** Postgres' own default. */
const MOST_CONNECTIONS = 100

const isLive = Effect.flatMap(World, ({ healthPort }) =>
  Effect.promise(() => ask(healthPort, "/health/live"))
).pipe(Effect.map(({ status }) => status === 200))

/** Sessions beside the worker's. */
const withSql = <A, E, R>(use: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { postgres } = yield* World
    const context = yield* Layer.build(sqlLayer()).pipe(Effect.provideService(Postgres, postgres))
    return yield* Effect.flatMap(SqlClient.SqlClient, use).pipe(Effect.provide(context))
  }).pipe(Effect.scoped)

const setting = (sql: SqlClient.SqlClient, change: string) =>
  sql.unsafe(`ALTER SYSTEM ${change}`).pipe(Effect.andThen(sql`SELECT pg_reload_conf()`), Effect.orDie)

const stores = (name: string, tests: Tests) =>
  Mounts.noMounts === undefined
    ? suiteIn(name, withView, tests)
    : suiteIn(`${name} (${Mounts.noMounts})`, undefined, tests)

// The longest first.
stores("a volume that hangs, or is not there", (it) => {
  it.effect.skipIf(Mounts.noHangs !== undefined)(
    "the volume hangs when a sync ends: that is said, the worker lives on, and the state is saved when it answers",
    () =>
      Effect.gen(function* () {
        const world = yield* World
        const { id, jobId } = yield* runningSync(3)
        const says = yield* saying
        yield* Effect.gen(function* () {
          yield* says("no answer in 30 seconds", "3 minutes")
          assert.isTrue(yield* isLive)
          const { body } = yield* Effect.promise(() => ask(world.healthPort, "/health/ready"))
          for (const answer of [
            `"storage":"not_writable"`,
            `"database":"connected"`,
            `"temporal":"connected"`
          ])
            assert.include(body, answer)
        }).pipe(Mounts.whileHung(viewOf(world)))
        succeeded(yield* ended(id))
        assert.include(yield* stateOf(jobId), "0/3")
      }),
    300_000
  )

  it.effect(
    "the volume is not mounted when a cancelled sync ends: its checkpoint is saved once it is, and it is Canceled",
    () =>
      Effect.gen(function* () {
        const world = yield* World
        const { id, jobId } = yield* runningSync()
        const says = yield* saying
        yield* Effect.gen(function* () {
          yield* world.temporal(["workflow", "cancel", "--workflow-id", id])
          yield* says(
            `The run's directory ${viewOf(world)}/${directoryOf(id)} is not there; is the volume mounted?`
          )
        }).pipe(Mounts.whileUnmounted(world.storage, viewOf(world)))
        assert.strictEqual((yield* ended(id)).status, "CANCELED")
        assert.include(yield* stateOf(jobId), "0/2")
      }),
    60_000
  )
})

stores("Postgres is down", (it) => {
  it.effect(
    "Postgres is down for 60 s when a sync ends: the state is saved when Postgres is back, and the run is completed",
    () =>
      Effect.gen(function* () {
        const { postgres } = yield* World
        const sync = yield* runningSync(2)
        const says = yield* saying
        yield* postgres.stop
        yield* says(`job ${sync.jobId}`)
        yield* Effect.sleep("60 seconds")
        yield* Effect.orDie(postgres.start)
        yield* oneResult(sync)
      }),
    150_000
  )
})

stores("Postgres is down, or takes no writes", (it) => {
  it.effect(
    "Postgres is down for 30 s when a sync starts: it starts when Postgres is back, with one Pod",
    () =>
      Effect.gen(function* () {
        const { postgres, storage } = yield* World
        const jobId = yield* insertProbeJob({})
        const says = yield* saying
        yield* postgres.stop
        const id = yield* requestSync(jobId)
        yield* says(`cannot read job ${jobId}`)
        yield* Effect.sleep("30 seconds")
        yield* Effect.orDie(postgres.start)
        succeeded(yield* ended(id))
        assert.include(yield* stateOf(jobId), "0/1")
        assert.strictEqual(startsIn(path.join(storage, directoryOf(id))), 1)
      }),
    90_000
  )

  it.effect(
    "Postgres takes no writes when a sync ends: that is said, with what to do, and the state is saved when it does again",
    () =>
      withSql((sql) =>
        Effect.gen(function* () {
          const { id, jobId } = yield* runningSync(2)
          const says = yield* saying
          yield* Effect.acquireUseRelease(
            setting(sql, "SET default_transaction_read_only = on"),
            () => says(/cannot save the state of job \d+: .*read-only transaction. .*must be the primary/),
            () => setting(sql, "RESET default_transaction_read_only")
          )
          succeeded(yield* ended(id))
          assert.include(yield* stateOf(jobId), "0/3")
        })
      ),
    60_000
  )
})

stores("Postgres has no connection left, or does not answer", (it) => {
  it.effect(
    "Postgres has no connection left when a sync ends: that is said, with what to do, and the state is saved when it has",
    () =>
      withSql((sql) =>
        Effect.gen(function* () {
          const { healthPort } = yield* World
          const { id, jobId } = yield* runningSync(12)
          const says = yield* saying
          // Others have all that there are, each by itself, as soon as the worker's idle ones are closed.
          const another = withSql((one) => one`SELECT pg_sleep(600)`)
          const others = yield* Effect.forkChild(
            Effect.forEach(
              Array.from({ length: MOST_CONNECTIONS }),
              () => Effect.ignore(Effect.retry(another, Schedule.spaced("50 millis"))),
              { concurrency: "unbounded", discard: true }
            )
          )
          // It may have made another before they had all.
          yield* Effect.gen(function* () {
            const closed = yield* sql`
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'olake-worker'`
            const [held] = yield* sql<{ count: number }>`
            SELECT count(*)::int AS count FROM pg_stat_activity WHERE backend_type = 'client backend'`
            return closed.length === 0 && (held?.count ?? 0) >= MOST_CONNECTIONS
          }).pipe(
            Effect.repeat({ until: (isFull) => isFull, schedule: Schedule.spaced("20 millis") }),
            Effect.timeout("20 seconds")
          )
          yield* says(/cannot \w+ .*job \d+: .*too many clients.*max_connections/)
          assert.isTrue(yield* isLive)
          // Bounded, though nothing can be asked.
          const { body } = yield* Effect.promise(() => ask(healthPort, "/health/ready"))
          assert.include(body, `"database":"disconnected"`)
          yield* Fiber.interrupt(others)
          succeeded(yield* ended(id))
          assert.include(yield* stateOf(jobId), "0/3")
        })
      ),
    90_000
  )

  it.effect(
    "Postgres does not answer a save, since somebody holds the job's row: the save is given up, tried again, and made once",
    () =>
      withSql((sql) =>
        Effect.gen(function* () {
          const { id, jobId } = yield* runningSync(2)
          const says = yield* saying
          yield* sql.withTransaction(
            Effect.gen(function* () {
              yield* sql`SELECT 1 FROM "olake-dev-job" WHERE id = ${jobId} FOR UPDATE`
              yield* says(`cannot save the state of job ${jobId}: Timeout: no answer in 5 seconds`)
            })
          )
          succeeded(yield* ended(id))
          assert.include(yield* stateOf(jobId), "0/3")
          const waiting = yield* sql`
          SELECT 1 FROM pg_stat_activity WHERE application_name = 'olake-worker' AND state <> 'idle'`
          assert.lengthOf(waiting, 0)
        })
      ),
    60_000
  )
})

stores("a save that hangs, a volume without room", (it) => {
  it.effect(
    "a save that hangs while its run is terminated does not overwrite what came after it",
    () =>
      withSql((sql) =>
        Effect.gen(function* () {
          const { temporal } = yield* World
          const { id, jobId } = yield* runningSync(2)
          const says = yield* saying
          yield* sql.withTransaction(
            Effect.gen(function* () {
              yield* sql`SELECT 1 FROM "olake-dev-job" WHERE id = ${jobId} FOR UPDATE`
              yield* says(`cannot save the state of job ${jobId}: Timeout`)
              yield* temporal(["workflow", "terminate", "--workflow-id", id])
              // As the job's next run saves.
              yield* sql`UPDATE "olake-dev-job" SET state = '{"lsn": "newer"}' WHERE id = ${jobId}`
            })
          )
          yield* says(
            /somebody has written to job \d+ since it began|PostSyncActivity was interrupted/,
            "50 seconds"
          )
          assert.strictEqual(yield* stateOf(jobId), `{"lsn": "newer"}`)
        })
      ),
    90_000
  )

  it.effect(
    "the volume is full when a sync starts: that is said, with the path, and it starts when there is room",
    () =>
      Effect.gen(function* () {
        const world = yield* World
        const jobId = yield* insertProbeJob({})
        const id = uniqueId(`sync-123-${jobId}`)
        const says = yield* saying
        yield* Effect.gen(function* () {
          yield* requestSync(jobId, id)
          yield* says(
            new RegExp(
              `cannot [a-z ]* ${viewOf(world)}/${directoryOf(id)}[^:]*: ENOSPC.*free space or enlarge it`
            )
          )
          assert.isTrue(yield* isLive)
        }).pipe(Mounts.whileFull(viewOf(world)))
        succeeded(yield* ended(id))
        assert.include(yield* stateOf(jobId), "0/1")
      }),
    60_000
  )

  it.effect(
    "the volume becomes read-only while a sync runs: its state is saved and the run ends all the same; its configs are reported",
    () =>
      Effect.gen(function* () {
        const world = yield* World
        const { id, jobId, folder } = yield* runningSync(3)
        const says = yield* saying
        yield* Effect.gen(function* () {
          yield* says(
            /configs in clear text are not removed yet.*(?:source|destination).json: EROFS.*mount it read-write/
          )
          succeeded(yield* ended(id))
          assert.include(yield* stateOf(jobId), "0/3")
          assert.isTrue(fs.existsSync(path.join(folder, "source.json")))
        }).pipe(Mounts.whileReadOnly(viewOf(world)))
      }),
    60_000
  )
})
