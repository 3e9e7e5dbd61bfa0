/**
 * The whole of it in one command: a shop's database, a connection test, a discover, two syncs, on embedded parts.
 * `--cluster`: Pods on the cluster of the current kubeconfig. `--keep`: leave the files (of Pods on this machine).
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import type { Client } from "@temporalio/client"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { parseArgs } from "node:util"
import { hostAddress } from "../cluster/Settings.ts"
import { bold, dim, line, progress, step } from "./Terminal.ts"
import { Postgres } from "../postgres/Postgres.ts"
import { addOrders, createShop, SHOP_ROWS, shopCatalog, shopSource } from "../postgres/Shop.ts"
import { TemporalServer } from "../temporal/TemporalServer.ts"
import { startReadyWorker } from "../world/Worker.ts"
import { makeWorld, onCluster, onLocalPods, type Platform } from "../world/World.ts"

const { values: flags } = parseArgs({ options: { cluster: { type: "boolean" }, keep: { type: "boolean" } } })

const PREFIX = "olake-demo"
const CONNECTOR = { type: "postgres", version: "v0.0.0-dev" }
const NEW_ORDERS = 25
const ROWS_PER_SECOND = 1500

const startedAt = Math.floor(Date.now() / 1000)

/** Starts a workflow as OLake's UI does, and waits for its result. */
const execute = (client: Client, type: string, workflowId: string, arg: unknown) =>
  Effect.tryPromise({
    try: () =>
      client.workflow.execute(type, { taskQueue: PREFIX, workflowId, args: [arg] }) as Promise<unknown>,
    catch: (error) => {
      const cause =
        error instanceof Error && error.cause instanceof Error ? (error.cause.cause ?? error.cause) : error
      return new Error(`${type}: ${cause instanceof Error ? cause.message : String(cause)}`)
    }
  })

const request = (workflowId: string, config: unknown) => ({
  SourceType: CONNECTOR.type,
  Version: CONNECTOR.version,
  Config: JSON.stringify(config),
  WorkflowID: workflowId,
  StreamsConfig: "",
  Flag: "config"
})

interface Status {
  readonly status: string
  readonly message: string
}
const statusOf = (result: unknown): string => {
  const { status, message } = result as Status // SAFETY: TestConnectionWorkflow's result
  return message === "" ? status : `${status}: ${message}`
}

const namesOf = (result: unknown): string => {
  const { streams } = result as { streams: ReadonlyArray<{ stream: { namespace: string; name: string } }> } // SAFETY: streams.json
  return streams
    .map(({ stream }) => `${stream.namespace}.${stream.name}`)
    .toSorted()
    .join(", ")
}

const runFolder = (storage: string, workflowId: string): string =>
  path.join(storage, createHash("sha256").update(workflowId).digest("hex"))

/** Feeds the progress bar from the connector's stats.json, for ever. */
const watchStats = (title: string, folder: string, expected: number) =>
  Effect.promise(() => fs.readFile(path.join(folder, "stats.json"), "utf8").catch(() => "{}")).pipe(
    Effect.map((text) => {
      try {
        const stats = JSON.parse(text) as Record<string, unknown>
        const rows = Number(stats["Synced Records"] ?? 0)
        progress(
          title,
          rows / expected,
          `${rows} of ${expected} rows  ${typeof stats["Speed"] === "string" ? stats["Speed"] : ""}`
        )
      } catch {
        // It is being written this very moment.
      }
    }),
    Effect.repeat(Schedule.spaced("100 millis"))
  )

const movedBy = async (folder: string): Promise<string> => {
  const rows = new Map<string, number>()
  const files = await fs.readdir(path.join(folder, "data"), { recursive: true, withFileTypes: true })
  for (const file of files.filter(({ name }) => name.endsWith(".jsonl"))) {
    const text = await fs.readFile(path.join(file.parentPath, file.name), "utf8")
    const table = path.basename(file.parentPath)
    rows.set(table, (rows.get(table) ?? 0) + text.trim().split("\n").length)
  }
  return [...rows]
    .map(([table, count]) => `${table} ${count}`)
    .toSorted()
    .join(", ")
}

const demo = Effect.gen(function* () {
  line(
    bold(
      `OLake worker: a sync, ${flags.cluster ? "with Pods on a cluster" : "with Pods as processes of this machine"}`
    )
  )
  const onWhat = flags.cluster ? onCluster(PREFIX) : onLocalPods({ keep: flags.keep === true }, PREFIX)
  const platform = yield* step<Platform, never, Scope.Scope>("Pods", onWhat)
  const listen = flags.cluster ? { listenAddresses: [hostAddress] } : {}
  const postgres = yield* step("Postgres", Layer.build(Postgres.layer(listen)))
  const temporal = yield* step("Temporal", Layer.build(TemporalServer.layer()))
  const parts = Layer.succeedContext(postgres).pipe(Layer.merge(Layer.succeedContext(temporal)))
  const env = { LOG_FORMAT: "console", ...(flags.cluster && { JOB_MEMORY_REQUEST: "64Mi" }) }
  const world = yield* step(
    "A shop's database, and OLake's tables",
    Effect.andThen(createShop, makeWorld(platform, { taskQueue: PREFIX, env })).pipe(Effect.provide(parts)),
    () =>
      Object.entries(SHOP_ROWS)
        .map(([table, rows]) => `${table} ${rows}`)
        .join(", ")
  )
  const { client, tables } = world
  const worker = yield* step("The worker", startReadyWorker(world.env))

  const source = shopSource(world.postgres, { host: platform.hostForPods })
  const run = (prefix: string, type: string, config: unknown) =>
    Effect.suspend(() => {
      const id = `${prefix}-postgres-${startedAt}`
      return execute(client, type, id, request(id, config))
    })
  const steps = Effect.gen(function* () {
    line()
    yield* step("Test of the connection", run("test-connection", "TestConnectionWorkflow", source), statusOf)
    const wrong = run("test-connection-wrong", "TestConnectionWorkflow", { ...source, password: "wrong" })
    yield* step("The same with a wrong password", wrong, statusOf)
    yield* step("Discover", run("discover-catalog", "DiscoverCatalogWorkflow", source), namesOf)

    const total = Object.values(SHOP_ROWS).reduce((sum, rows) => sum + rows, 0)
    const jobId = yield* tables.insertJob({
      source: yield* tables.insertSource({
        ...CONNECTOR,
        config: JSON.stringify({ ...source, throttle_rows_per_second: ROWS_PER_SECOND, chunk_size: 100 })
      }),
      destination: yield* tables.insertDestination({
        type: "jsonl",
        version: CONNECTOR.version,
        config: `{"type":"JSONL","writer":{"local_path":"/mnt/config/data"}}`
      }),
      streams: JSON.stringify(shopCatalog(["customers", "products", "orders"]))
    })
    const sync = (title: string, number: number, expected: number) => {
      const id = `sync-123-${jobId}-${startedAt}-${number}`
      const folder = runFolder(platform.storage, id)
      const moving = Effect.raceFirst(
        execute(client, "RunSyncWorkflow", id, jobId),
        Effect.andThen(watchStats(title, folder, expected), Effect.never)
      )
      return step(
        title,
        Effect.andThen(
          moving,
          Effect.promise(() => movedBy(folder))
        ),
        (moved) => `moved: ${moved}\n${dim(path.join(folder, "data"))}`
      )
    }
    yield* sync("First sync", 1, total)
    yield* step(`${NEW_ORDERS} new orders are placed`, addOrders(NEW_ORDERS).pipe(Effect.provide(parts)))
    yield* sync("Second sync: only what is new", 2, NEW_ORDERS)
    yield* step("State in the job's row", tables.jobState(jobId), (state) => state ?? "none")
  })
  yield* steps.pipe(
    Effect.tapCause(() =>
      Effect.sync(() =>
        line(`\nThe worker's last lines:\n${worker.output().trim().split("\n").slice(-15).join("\n")}`)
      )
    )
  )
  line()
  line(
    flags.keep === true && flags.cluster !== true
      ? `The files stay in ${platform.storage}`
      : dim("All parts are stopped and their files removed; --keep leaves them.")
  )
})

demo.pipe(
  Effect.scoped,
  Effect.tapCause((cause) =>
    Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.sync(() => line(`\n${String(Cause.squash(cause))}`))
  ),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) ? 0 : 1)
  })
)
