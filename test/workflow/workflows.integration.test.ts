/** The workflows on Temporal's time-skipping server, with activities that do what each test says. */
import { ApplicationFailure, CancelledFailure } from "@temporalio/common"
import { WorkflowFailedError } from "@temporalio/client"
import { Context } from "@temporalio/activity"
import { TestWorkflowEnvironment } from "@temporalio/testing"
import { DefaultLogger, Runtime, Worker } from "@temporalio/worker"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it, vi } from "vitest"
import { temporalTestServer } from "../../dev/TemporalCli.ts"
import type { Activities } from "../../src/activity/Activities.ts"
import type * as workflows from "../../src/workflow/workflows.ts"

const bundle = { codePath: fileURLToPath(new URL("../../dist/workflow-bundle.js", import.meta.url)) }
const QUEUE = "olake"

let env: TestWorkflowEnvironment

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger("ERROR") })
  const path = await Effect.runPromise(temporalTestServer)
  env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: "existing-path", path } }
  })
})
afterAll(() => env.teardown())

type Calls = Array<string>
type Overrides = { readonly [K in keyof Activities]?: (wire: unknown) => Promise<unknown> }

/** Runs `use` with a worker; every activity call is noted. */
const withWorker = async <A>(overrides: Overrides, use: (calls: Calls) => Promise<A>): Promise<A> => {
  const calls: Calls = []
  const answers: Overrides = {
    DiscoverCatalogActivity: async () => ({ streams: [] }),
    TestConnectionActivity: async () => ({ status: "SUCCEEDED", message: "" }),
    SyncActivity: async () => ({ pod: "p" }),
    PostSyncActivity: async () => ({ finished: false, saved: true, state: { n: 1 } }),
    StopActivity: async () => ({ finished: false }),
    ...overrides
  }
  const activities = Object.fromEntries(
    Object.entries(answers).map(([type, answer]) => [
      type,
      (wire: unknown) => {
        calls.push(`${type} ${JSON.stringify(wire)}`)
        return answer(wire)
      }
    ])
  )
  const connection = env.nativeConnection
  const worker = await Worker.create({ connection, taskQueue: QUEUE, workflowBundle: bundle, activities })
  return await worker.runUntil(() => use(calls))
}

let count = 0
const start = (type: keyof typeof workflows, arg: unknown) =>
  env.client.workflow.start(type, { taskQueue: QUEUE, workflowId: `w-${(count += 1)}`, args: [arg] })

const execute = async (type: keyof typeof workflows, arg: unknown) =>
  (await start(type, arg)).result() as Promise<unknown>

const failureOf = async (running: Promise<unknown>) => {
  const error = await running.then(
    () => undefined,
    (cause: unknown) => cause
  )
  assert.instanceOf(error, WorkflowFailedError)
  const { cause } = error
  return cause instanceof ApplicationFailure || cause instanceof CancelledFailure
    ? cause
    : (cause?.cause as ApplicationFailure)
}

const refuse = (type: string, nonRetryable: boolean) => () =>
  Promise.reject(ApplicationFailure.create({ type, message: `${type}!`, nonRetryable }))

describe("discover and test", () => {
  it("hand their argument over and their result back", () =>
    withWorker({}, async (calls) => {
      assert.deepStrictEqual(await execute("DiscoverCatalogWorkflow", { SourceType: "x" }), { streams: [] })
      assert.deepStrictEqual(await execute("TestConnectionWorkflow", { Flag: "config" }), {
        status: "SUCCEEDED",
        message: ""
      })
      assert.deepStrictEqual(calls, [
        `DiscoverCatalogActivity {"SourceType":"x"}`,
        `TestConnectionActivity {"Flag":"config"}`
      ])
    }))

  it("a final failure ends them, a passing one is tried again", async () => {
    let attempts = 0
    await withWorker(
      {
        DiscoverCatalogActivity: refuse("ConnectorFailed", true),
        TestConnectionActivity: () =>
          (attempts += 1) < 20 ? refuse("KubernetesError", false)() : Promise.resolve({ status: "FAILED" })
      },
      async () => {
        assert.strictEqual(
          (await failureOf(execute("DiscoverCatalogWorkflow", {}))).message,
          "ConnectorFailed!"
        )
        // Twenty attempts with up to 30 s between them: the server skips the waiting.
        assert.deepStrictEqual(await execute("TestConnectionWorkflow", {}), { status: "FAILED" })
      }
    )
  })
})

describe("a sync", () => {
  it("is waited for, then its state is saved and returned", () =>
    withWorker({}, async (calls) => {
      assert.deepStrictEqual(await execute("RunSyncWorkflow", 7), { n: 1 })
      const id = `"JobID":7,"WorkflowID":"w-${count}"`
      assert.deepStrictEqual(calls, [`SyncActivity {${id}}`, `PostSyncActivity {${id},"Began":true}`])
    }))

  it("saves its state after a failure too, and still fails as itself", () =>
    withWorker({ SyncActivity: refuse("ConnectorFailed", true) }, async (calls) => {
      const failure = await failureOf(execute("RunSyncWorkflow", 7))
      assert.strictEqual((failure as ApplicationFailure).type, "ConnectorFailed")
      assert.lengthOf(calls, 2)
    }))

  it("tells of both where the saving fails as well", () =>
    withWorker(
      { SyncActivity: refuse("OOM", true), PostSyncActivity: refuse("InvalidState", true) },
      async () => {
        const failure = await failureOf(execute("RunSyncWorkflow", 7))
        assert.strictEqual((failure as ApplicationFailure).type, "OOM")
        assert.strictEqual(failure.message, "OOM! Besides: InvalidState!")
      }
    ))

  it("fails where only the saving does", () =>
    withWorker({ PostSyncActivity: refuse("InvalidState", true) }, async () => {
      const failure = await failureOf(execute("RunSyncWorkflow", 7))
      assert.strictEqual((failure as ApplicationFailure).type, "InvalidState")
    }))

  it("saves nothing for a request that was none", () =>
    withWorker({ SyncActivity: refuse("InvalidRequest", true) }, async (calls) => {
      await failureOf(execute("RunSyncWorkflow", "seven"))
      assert.lengthOf(calls, 1)
    }))

  it("goes on saving until it works", async () => {
    let attempts = 0
    await withWorker(
      {
        PostSyncActivity: () =>
          (attempts += 1) < 50
            ? refuse("DatabaseError", false)()
            : Promise.resolve({ saved: true, state: {} })
      },
      async () => assert.deepStrictEqual(await execute("RunSyncWorkflow", 7), {})
    )
    assert.strictEqual(attempts, 50)
  })

  /** Like the boundary's: it ends when Temporal cancels it. */
  const untilCancelled = async () => {
    const context = Context.current()
    const beat = setInterval(() => context.heartbeat(), 50)
    try {
      return await context.cancelled
    } finally {
      clearInterval(beat)
    }
  }

  const begun = (calls: Calls) =>
    vi.waitFor(() => assert.isAbove(calls.length, 0, "the sync has begun"), { timeout: 10_000, interval: 20 })

  it("that is cancelled ends Canceled, after its state was saved", () =>
    withWorker({ SyncActivity: untilCancelled }, async (calls) => {
      const handle = await start("RunSyncWorkflow", 7)
      await begun(calls)
      await handle.cancel()
      assert.instanceOf(await failureOf(handle.result()), CancelledFailure)
      assert.deepStrictEqual(
        calls.map((call) => call.split(" ")[0]),
        ["SyncActivity", "StopActivity", "PostSyncActivity"]
      )
      assert.strictEqual((await handle.describe()).status.name, "CANCELLED")
    }))

  it("whose connector had ended well before the cancel reached it is completed", () =>
    withWorker(
      {
        SyncActivity: untilCancelled,
        PostSyncActivity: async () => ({ finished: true, saved: true, state: { n: 1 } })
      },
      async (calls) => {
        const handle = await start("RunSyncWorkflow", 7)
        await begun(calls)
        await handle.cancel()
        assert.deepStrictEqual(await handle.result(), { n: 1 })
      }
    ))
})
