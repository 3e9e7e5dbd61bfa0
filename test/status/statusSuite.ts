/** What people see of runs: over HTTP, in a terminal, and in Temporal's own descriptions. Connector, Postgres and Temporal are real. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { shopCatalog, shopSource } from "../../dev/postgres/Shop.ts"
import { eventually } from "../support/Conditions.ts"
import { jobsOf, olakeWorker, runThat } from "../support/Jobs.ts"
import { failedAs, stateOf } from "../support/world/Runs.ts"
import { ended, execute, params, start, uniqueId } from "../support/world/Workflows.ts"
import { World } from "../support/world/World.ts"

const ROWS_PER_SECOND = 150

/** A sync that takes about 20 s where it is let. */
export const slowSync = Effect.gen(function* () {
  const { platform, postgres, tables } = yield* World
  const version = "v0.0.0-dev"
  const config = shopSource(postgres, {
    host: platform.hostForPods,
    throttle_rows_per_second: ROWS_PER_SECOND
  })
  const jobId = yield* tables.insertJob({
    source: yield* tables.insertSource({ type: "postgres", version, config: JSON.stringify(config) }),
    destination: yield* tables.insertDestination({
      type: "jsonl",
      version,
      config: `{"type":"JSONL","writer":{"local_path":"/mnt/config/data"}}`
    }),
    streams: JSON.stringify(shopCatalog(["orders"]))
  })
  const id = uniqueId(`sync-123-${jobId}`)
  yield* start("RunSyncWorkflow", id, jobId)
  return { id, jobId }
})

export const cancel = (id: string) =>
  Effect.flatMap(World, ({ temporal }) => temporal(["workflow", "cancel", "--workflow-id", id]))

/** The details of the last heartbeat, as Temporal's UI shows them. */
const heartbeatOf = ({ temporal }: World["Service"], id: string) =>
  Effect.map(temporal(["workflow", "describe", "--workflow-id", id, "-o", "json"]), ({ stdout }) => {
    const { pendingActivities } = JSON.parse(stdout) as {
      pendingActivities?: ReadonlyArray<{ heartbeatDetails?: ReadonlyArray<Record<string, unknown>> }>
    }
    return pendingActivities?.[0]?.heartbeatDetails?.[0]
  })

/** What Temporal's UI shows as the workflow's current details. */
const currentDetailsOf = (id: string) =>
  Effect.gen(function* () {
    const { temporal } = yield* World
    const query = ["workflow", "query", "--type", "__temporal_workflow_metadata", "--workflow-id", id]
    return (yield* temporal([...query, "-o", "json"])).stdout
  })

type It = (name: string, test: () => Effect.Effect<void, unknown, World>, timeout?: number) => void

export const statusSuite = (it: It): void => {
  it(
    "a running sync's progress: in /jobs, in a terminal, in Temporal's pending activity; then how it was cancelled",
    () =>
      Effect.gen(function* () {
        const world = yield* World
        const { id, jobId } = yield* slowSync
        const early = yield* runThat("rows are counted", id, ({ progress }) => (progress?.rows ?? 0) > 0)
        assert.deepInclude(early, { operation: "sync", jobId, connector: "postgres", phase: "running" })
        assert.isNotEmpty(early.node)
        assert.match(early.pod ?? "", /^olake-job-/)
        const first = early.progress?.rows ?? 0
        const later = yield* runThat(
          "more rows are counted",
          id,
          ({ progress, lastLines }) => (progress?.rows ?? 0) > first && lastLines.length > 0
        )
        const { rowsPerSecond = 0, remainingSeconds = 0, share = 0 } = later.progress ?? {}
        assert.isTrue(rowsPerSecond > 0 && rowsPerSecond <= ROWS_PER_SECOND * 2, String(rowsPerSecond))
        assert.isAbove(remainingSeconds, 0)
        assert.isTrue(share > 0 && share < 1)
        assert.include(later.lastLines.map(({ message }) => message).join(), "reading public.orders")

        const printed = yield* olakeWorker(["jobs"], { HEALTH_PORT: String(world.healthPort) })
        assert.strictEqual(printed.code, 0, printed.stderr)
        const lines = printed.stdout.split("\n")
        const at = lines.findIndex((line) => line.includes(`sync of job ${jobId}`))
        assert.match(lines[at] ?? "", /postgres {2}running, /)
        assert.match(lines[at + 1] ?? "", /█.*░ \d+ % {2}[\d,]+ rows {2}\d+ rows\/s {2}.+ left/)
        assert.notInclude(printed.stdout, "\u001b")

        const told = yield* eventually("Temporal has heard of rows", async () => {
          const details = await Effect.runPromise(heartbeatOf(world, id))
          return Number(details?.rows) > 0 ? details : undefined
        })
        assert.deepInclude(told, { phase: "running", node: early.node, pod: early.pod })

        assert.include(yield* currentDetailsOf(id), "The connector's Pod is waited for.")

        yield* cancel(id)
        const run = yield* ended(id)
        assert.strictEqual(run.status, "CANCELED")
        assert.include(yield* currentDetailsOf(id), "The run is cancelled")
        const over = yield* runThat("its end", id, ({ state }) => state === "cancelled")
        assert.isUndefined(over.phase)
        assert.isAbove(over.progress?.rows ?? 0, 0)
        assert.include(yield* stateOf(jobId), "orders")
      }),
    60_000
  )

  it("a failed run tells cause and remedy in the failure's own words, and the connector's last lines", () =>
    Effect.gen(function* () {
      const id = uniqueId("discover-catalog")
      const failed = yield* execute(
        "DiscoverCatalogWorkflow",
        id,
        params(id, "probe", { scenario: "exit-1" })
      )
      failedAs(failed, "ConnectorFailed", "could not open the replication slot")
      const { failure, operation, connector, lastLines } = yield* runThat(
        "its end, with its last lines",
        id,
        ({ state, lastLines }) => state === "failed" && lastLines.length > 0
      )
      assert.deepStrictEqual([operation, connector], ["discover", "probe"])
      assert.strictEqual(failure?.type, "ConnectorFailed")
      assert.strictEqual(`${failure?.cause} ${failure?.remedy}`, failed.message)
      assert.deepInclude(lastLines.at(-1), {
        level: "fatal",
        message: "could not open the replication slot"
      })
      const { healthPort } = yield* World
      const printed = yield* olakeWorker(["jobs", "--url", `http://127.0.0.1:${healthPort}/`])
      assert.include(printed.stdout, `ConnectorFailed: ${failure?.cause}`)
      assert.include(printed.stdout, `What to do: ${failure?.remedy}`)
    }))

  it(
    "one that went well is kept with what it has done",
    () =>
      Effect.gen(function* () {
        const { platform, postgres, healthPort } = yield* World
        const source = shopSource(postgres, { host: platform.hostForPods })
        const id = uniqueId("discover-catalog")
        yield* execute("DiscoverCatalogWorkflow", id, params(id, "postgres", source))
        yield* runThat("its end", id, ({ state }) => state === "succeeded")
        const printed = yield* olakeWorker(["jobs", "--json", "--url", `http://127.0.0.1:${healthPort}`])
        const told = JSON.parse(printed.stdout) as { version: number; worker: string }
        assert.deepInclude(told, { version: 1, worker: "worker-0" })
        assert.notInclude(JSON.stringify(yield* Effect.promise(() => jobsOf(healthPort))), postgres.password)
      }),
    60_000
  )
}
