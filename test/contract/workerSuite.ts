/** What OLake's first contract promises, asserted alike on LocalPods and on a real cluster. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { addOrders, SHOP_ROWS, shopCatalog, shopSource } from "../../dev/postgres/Shop.ts"
import {
  directoryOf,
  encrypted,
  failedAs,
  nothingLeft,
  stateOf,
  succeeded,
  untilBegun
} from "../support/world/Runs.ts"
import { ask } from "../../dev/world/Worker.ts"
import { ended, type Ended, execute, params, start, uniqueId } from "../support/world/Workflows.ts"
import { SECRET_KEY, World } from "../support/world/World.ts"
import { movedRows } from "../support/Conditions.ts"

type It = (name: string, test: () => Effect.Effect<void, unknown, World>, timeout?: number) => void

const check = (config: unknown, over: Readonly<Record<string, unknown>> = {}, connector = "probe") => {
  const id = uniqueId("test-connection")
  return execute("TestConnectionWorkflow", id, params(id, connector, config, over))
}
const discover = (config: unknown, over: Readonly<Record<string, unknown>> = {}, connector = "probe") => {
  const id = uniqueId("discover-catalog")
  return execute("DiscoverCatalogWorkflow", id, params(id, connector, config, over))
}

/** A job of the shop, or of a probe scenario. */
const insertJob = (
  source: { readonly type: string; readonly config: unknown },
  streams: unknown,
  state?: string
) =>
  Effect.gen(function* () {
    const { tables } = yield* World
    const version = "v0.0.0-dev"
    return yield* tables.insertJob({
      source: yield* tables.insertSource({
        type: source.type,
        version,
        config: JSON.stringify(source.config)
      }),
      destination: yield* tables.insertDestination({
        type: "jsonl",
        version,
        config: `{"type":"JSONL","writer":{"local_path":"/mnt/config/data"}}`
      }),
      streams: JSON.stringify(streams),
      ...(state === undefined ? {} : { state })
    })
  })

const probeJob = (scenario: string, state?: string) =>
  insertJob({ type: "probe", config: { scenario } }, { streams: [] }, state)

const sync = (jobId: unknown) => {
  const id = uniqueId(`sync-123-${String(jobId)}`)
  return Effect.map(execute("RunSyncWorkflow", id, jobId), (run) => ({ ...run, id }))
}

const shop = Effect.map(World, ({ postgres, platform }) =>
  shopSource(postgres, { host: platform.hostForPods })
)

export const workerSuite = (it: It): void => {
  it("a test of a good connection succeeds, with an encrypted config, and its key is seen nowhere", () =>
    Effect.gen(function* () {
      const run = yield* check(encrypted(yield* shop), {}, "postgres")
      succeeded(run)
      assert.deepStrictEqual(run.result, { status: "SUCCEEDED", message: "" })
      assert.notInclude(run.history, SECRET_KEY)
      yield* nothingLeft
    }))

  it("a wrong password is an answer: FAILED with the connector's own message", () =>
    Effect.gen(function* () {
      const run = yield* check({ ...(yield* shop), password: "wrong" }, {}, "postgres")
      succeeded(run)
      assert.include(run.result as object, { status: "FAILED" })
      assert.include((run.result as { message: string }).message, "password authentication failed")
    }))

  for (const scenario of ["failed-check-exit-1", "failed-check-exit-0"]) {
    it(`${scenario}: still FAILED with the message`, () =>
      Effect.map(check({ scenario }), (run) => {
        succeeded(run)
        assert.deepStrictEqual(run.result, {
          status: "FAILED",
          message: `password authentication failed for user "shop"`
        })
      }))
  }

  it("a test of a destination", () =>
    Effect.map(check({ scenario: "ok-check" }, { Flag: "destination" }), (run) =>
      assert.deepStrictEqual(run.result, { status: "SUCCEEDED", message: "" })
    ))

  it("a check that says nothing is a failure that names what is missing", () =>
    Effect.map(check({ scenario: "no-output" }), (run) =>
      failedAs(run, "ResultMissing", "connectionStatus", "probe")
    ))

  it("a discover returns the catalog of the real database", () =>
    Effect.gen(function* () {
      const run = yield* discover(yield* shop, {}, "postgres")
      succeeded(run)
      const { streams } = run.result as { streams: ReadonlyArray<{ stream: { name: string } }> }
      assert.deepStrictEqual(streams.map(({ stream }) => stream.name).toSorted(), [
        "customers",
        "orders",
        "products"
      ])
      yield* nothingLeft
    }))

  it("a discover without streams.json is a failure that names it", () =>
    Effect.map(discover({ scenario: "no-catalog" }), (run) => failedAs(run, "ResultMissing", "streams.json")))

  it("a Pod that exits 1 fails with the connector's last error line", () =>
    Effect.gen(function* () {
      const run = yield* discover({ scenario: "exit-1" })
      failedAs(run, "ConnectorFailed", "could not open the replication slot", "exit code 1")
      assert.isTrue(run.nonRetryable)
      yield* nothingLeft
    }))

  it("a sync moves rows and leaves its state in the job's row; the next one moves only what is new", () =>
    Effect.gen(function* () {
      const world = yield* World
      const jobId = yield* insertJob(
        { type: "postgres", config: yield* shop },
        shopCatalog(["orders", "products"])
      )
      const first = yield* sync(jobId)
      succeeded(first)
      const folder = (id: string) => path.join(world.storage, directoryOf(id))
      const moved = (id: string) =>
        Effect.promise(async () => Object.values(await movedRows(path.join(folder(id), "data"))).flat())
      assert.lengthOf(yield* moved(first.id), SHOP_ROWS.orders + SHOP_ROWS.products)
      const state = JSON.parse((yield* stateOf(jobId)) ?? "null") as { streams: ReadonlyArray<unknown> }
      assert.lengthOf(state.streams, 2)
      assert.deepStrictEqual(first.result, state)
      yield* addOrders(17).pipe(Effect.provideService(Postgres, world.postgres))
      const second = yield* sync(jobId)
      succeeded(second)
      assert.lengthOf(yield* moved(second.id), 17)
      assert.deepStrictEqual(
        fs.readdirSync(folder(first.id)).filter((name) => name.endsWith(".tmp")),
        []
      )
      yield* nothingLeft
    }))

  it("numbers of a state are saved to the last digit", () =>
    Effect.gen(function* () {
      const jobId = yield* probeJob("ok-sync")
      succeeded(yield* sync(jobId))
      assert.include(yield* stateOf(jobId), "9007199254740993")
    }))

  it("a failed sync reports the connector's words and keeps the last good state", () =>
    Effect.gen(function* () {
      const jobId = yield* probeJob("exit-1", `{"kept": true}`)
      failedAs(yield* sync(jobId), "ConnectorFailed", "could not open the replication slot")
      assert.strictEqual(yield* stateOf(jobId), `{"kept": true}`)
    }))

  it("a half-written state replaces nothing, and the failure names the file", () =>
    Effect.gen(function* () {
      const jobId = yield* probeJob("half-state", `{"kept": true}`)
      const run = yield* sync(jobId)
      failedAs(
        run,
        "ConnectorFailed",
        "state.json",
        "not valid JSON",
        "interrupted while the state was written"
      )
      assert.strictEqual(yield* stateOf(jobId), `{"kept": true}`)
      yield* nothingLeft
    }))

  it("a cancelled sync is Canceled; its Pod is gone and the checkpoint of its last second is saved", () =>
    Effect.gen(function* () {
      const { temporal, storage } = yield* World
      const jobId = yield* probeJob("sleep")
      const id = uniqueId(`sync-123-${jobId}`)
      yield* start("RunSyncWorkflow", id, jobId)
      yield* untilBegun(path.join(storage, directoryOf(id)))
      yield* temporal(["workflow", "cancel", "--workflow-id", id])
      const run = yield* ended(id)
      assert.strictEqual(run.status, "CANCELED")
      assert.include(yield* stateOf(jobId), "0/2")
      yield* nothingLeft
    }))

  it(
    "an image that does not exist fails within 90 s, naming it",
    () =>
      Effect.gen(function* () {
        const began = Date.now()
        const run = yield* check({ scenario: "ok-check" }, { Version: "v9.9.9" })
        failedAs(run, "ImageUnpullable", "olakego/source-probe:v9.9.9")
        assert.isBelow(Date.now() - began, 90_000)
        yield* nothingLeft
      }),
    120_000
  )

  it("a job that does not exist fails at once, naming JobID", () =>
    Effect.map(sync(424242), (run) => failedAs(run, "JobNotFound", "JobID", "424242")))

  it(
    "malformed requests fail at once and for good, each naming its field; nothing is written, the worker lives on",
    () =>
      Effect.gen(function* () {
        const { storage, healthPort } = yield* World
        const before = fs.readdirSync(storage)
        const wrong: ReadonlyArray<readonly [field: string, run: Effect.Effect<Ended, unknown, World>]> = [
          ["SourceType", check({}, { SourceType: 5 })],
          ["SourceType", check({}, { SourceType: "../../evil" })],
          ["SourceType", check({}, { SourceType: "postgres:latest" })],
          ["SourceType", check({}, { SourceType: "" })],
          ["SourceType", check({}, { SourceType: undefined })],
          ["Version", check({}, { Version: "" })],
          ["Version", check({}, { Version: "v1 && rm" })],
          ["Config", check({}, { Config: "" })],
          ["Config", check({}, { Config: { host: "db" } })],
          ["Flag", check({}, { Flag: "source" })],
          ["Flag", check({}, { Flag: undefined })],
          ["WorkflowID", check({}, { WorkflowID: "../escape" })],
          ["WorkflowID", check({}, { WorkflowID: "another-run" })],
          ["WorkflowID", check({}, { WorkflowID: "" })],
          ["JobID", discover({}, { JobID: -1 })],
          ["JobID", discover({}, { JobID: "7" })],
          ["StreamsConfig", discover({}, { StreamsConfig: 5 })],
          ["JobID", sync(-1)],
          ["JobID", sync("seven")],
          ["command", sync({ JobID: 1 })],
          ["JobID", sync(null)],
          ["WorkflowID", execute("DiscoverCatalogWorkflow", "..", params("..", "probe", {}))]
        ]
        const runs = yield* Effect.forEach(
          wrong,
          ([field, run]) => Effect.map(run, (outcome) => ({ field, outcome })),
          { concurrency: 4 }
        )
        for (const { field, outcome } of runs) {
          failedAs(outcome, "InvalidRequest", field)
          assert.isTrue(outcome.nonRetryable)
        }
        assert.deepStrictEqual(fs.readdirSync(storage), before)
        assert.strictEqual((yield* Effect.promise(() => ask(healthPort, "/health/ready"))).status, 200)
      }),
    60_000
  )

  it("health and metrics answer in the contract's words", () =>
    Effect.gen(function* () {
      const { healthPort } = yield* World
      const get = (route: string) => Effect.promise(() => ask(healthPort, route))
      for (const route of ["/health", "/health/live"]) {
        const { status, body } = yield* get(route)
        assert.strictEqual(status, 200)
        assert.isTrue(body.endsWith("\n"))
        assert.deepInclude(JSON.parse(body), { status: "healthy", checks: { worker: "running" } })
      }
      for (const route of ["/ready", "/health/ready"]) {
        const { status, body } = yield* get(route)
        assert.strictEqual(status, 200)
        assert.deepInclude(JSON.parse(body), {
          status: "ready",
          checks: {
            database: "connected",
            temporal: "connected",
            kubernetes: "connected",
            storage: "writable"
          }
        })
      }
      const { body } = yield* get("/metrics")
      assert.match(body, /^olake_worker_kubernetes_requests_total\{[^}]*\} \d+/m)
      assert.match(body, /^temporal_worker_task_slots_available/m)
      // Of the runs before this one.
      for (const label of [
        `operation="sync",outcome="Completed"`,
        `operation="sync",outcome="ConnectorFailed"`,
        `operation="check",outcome="Completed"`,
        `operation="check",outcome="ImageUnpullable"`
      ])
        assert.include(body, `olake_worker_runs_total{${label}}`)
      for (const histogram of [
        `run_phase_seconds_bucket{operation="sync",phase="running",`,
        `kubernetes_request_seconds_count{verb="create",result="ok"}`,
        `database_query_seconds_count{result="ok"}`,
        `storage_operation_seconds_count{operation="write",result="ok"}`
      ])
        assert.include(body, `olake_worker_${histogram}`)
      assert.match(body, /^olake_worker_state_saves_total\{result="saved"\} [1-9]/m)
      assert.match(body, /^olake_worker_build_info\{version="[^"]+",node="v[^"]+"\} 1$/m)
      assert.match(body, /^olake_worker_pod_watch_healthy 1$/m)
      // Nothing is left at work, and nothing tells of one job.
      for (const [, count] of body.matchAll(/^olake_worker_runs_active\{.*\} (\S+)$/gm))
        assert.strictEqual(count, "0")
      assert.notMatch(body, /sync-123|olake-job-\d/)
      assert.strictEqual((yield* get("/nothing")).status, 404)
    }))

  it("no secret was written to the log, and every line is JSON", () =>
    Effect.map(World, ({ worker, postgres }) => {
      const lines = worker.output().trim().split("\n")
      for (const line of lines) assert.isObject(JSON.parse(line))
      assert.isAbove(lines.length, 20)
      assert.notInclude(worker.output(), SECRET_KEY)
      assert.notInclude(worker.output(), postgres.password)
    }))
}
