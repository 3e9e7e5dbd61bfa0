/** The workflows on Temporal's time-skipping server, with activities that do what each test says. */
import { ApplicationFailure, CancelledFailure } from "@temporalio/common"
import { WorkflowFailedError } from "@temporalio/client"
import { Context } from "@temporalio/activity"
import { TestWorkflowEnvironment } from "@temporalio/testing"
import type * as Proto from "@temporalio/proto"
import { DefaultLogger, Runtime, Worker } from "@temporalio/worker"
import * as Effect from "effect/Effect"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it, vi } from "vitest"
import { temporalTestServer } from "../../dev/temporal/TemporalCli.ts"
import type { Activities } from "../../src/activity/Activities.ts"
import type * as workflows from "../../src/workflow/workflows.ts"

const bundle = { codePath: fileURLToPath(new URL("../../dist/workflow-bundle.js", import.meta.url)) }
const proto = createRequire(import.meta.url)("@temporalio/proto") as typeof Proto

/** One for each worker: a test that fails may leave its own behind, and the next must not fail for that. */
let queues = 0
const queue = () => `olake-${queues}`

let env: TestWorkflowEnvironment

/** The SDK gives a server 5 s to start, which a busy machine does not always keep to; it kills one that is late. */
const timeSkippingServer = Effect.gen(function* () {
  const path = yield* temporalTestServer
  const executable = { type: "existing-path", path } as const
  const start = Effect.tryPromise(() =>
    TestWorkflowEnvironment.createTimeSkipping({ server: { executable } })
  )
  return yield* Effect.retry(start, { times: 20 })
})

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger("ERROR") })
  env = await Effect.runPromise(timeSkippingServer)
  await env.connection.operatorService.addSearchAttributes({
    namespace: "default",
    searchAttributes: { OperationType: KEYWORD }
  })
})
afterAll(() => env.teardown())

/** Without it a run of the second contract cannot begin. */
const KEYWORD = proto.temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD

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
    ExecuteActivity: async () => ({ pod: "p" }),
    SendWebhookNotificationActivity: async () => undefined,
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
  queues += 1
  const worker = await Worker.create({
    connection,
    taskQueue: queue(),
    workflowBundle: bundle,
    activities,
    // A cancel comes with the answer to a heartbeat.
    maxHeartbeatThrottleInterval: "100ms"
  })
  return await worker.runUntil(() => use(calls))
}

let count = 0
const start = (type: keyof typeof workflows, arg: unknown) =>
  env.client.workflow.start(type, { taskQueue: queue(), workflowId: `w-${(count += 1)}`, args: [arg] })

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

describe("a sync", () => {
  it("is waited for, then its state is saved and returned", () =>
    withWorker({}, async (calls) => {
      assert.deepStrictEqual(await execute("RunSyncWorkflow", 7), { n: 1 })
      const id = `"JobID":7,"WorkflowID":"w-${count}"`
      assert.deepStrictEqual(calls, [
        `SyncActivity {${id}}`,
        `PostSyncActivity {${id},"Began":true,"outcome":"completed"}`
      ])
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

describe("a sync whose Pod the cluster takes away", () => {
  /** Fails with these one after the other, then succeeds. */
  const failing = (types: ReadonlyArray<string>) => {
    let attempts = 0
    const SyncActivity = () => {
      const type = types[attempts]
      attempts += 1
      return type === undefined ? Promise.resolve({ pod: "p" }) : refuse(type, true)()
    }
    return { SyncActivity, attempts: () => attempts }
  }
  const outcomes = (calls: Calls) =>
    calls.filter((call) => call.startsWith("PostSync")).map((call) => /"outcome":"(\w+)"/.exec(call)?.[1])
  const request = { command: "sync", job_id: 7, project_id: "123" }

  it("gets another, which goes on from what was saved; nobody is alerted", async () => {
    const { SyncActivity, attempts } = failing([
      "Evicted",
      "Preempted",
      "NodeShutdown",
      "Interrupted",
      "Evicted"
    ])
    await withWorker({ SyncActivity }, async (calls) => {
      const began = await env.currentTimeMs()
      await execute("RunSyncWorkflow", request)
      assert.strictEqual(attempts(), 6)
      assert.deepStrictEqual(outcomes(calls), [
        ...Array.from({ length: 5 }, () => "interrupted"),
        "completed"
      ])
      assert.isEmpty(calls.filter((call) => call.startsWith("Send")))
      // 10, 20, 40, 80 and 160 s.
      assert.isAtLeast((await env.currentTimeMs()) - began, 310_000)
    })
  })

  it("has a budget for that; then the failure tells of them all", async () => {
    const { SyncActivity, attempts } = failing(Array.from({ length: 9 }, () => "Evicted"))
    await withWorker({ SyncActivity }, async (calls) => {
      const failure = await failureOf(execute("RunSyncWorkflow", request))
      assert.strictEqual(attempts(), 6)
      assert.strictEqual((failure as ApplicationFailure).type, "Evicted")
      assert.include(
        failure.message,
        "Pods of this run before it: Evicted, Evicted, Evicted, Evicted, Evicted."
      )
      assert.lengthOf(
        calls.filter((call) => call.startsWith("Send")),
        1
      )
    })
  })

  it("gets one only, where it is merely probable that the cluster did it", async () => {
    const { SyncActivity, attempts } = failing(["Killed", "Killed", "Killed"])
    await withWorker({ SyncActivity }, async () => {
      assert.strictEqual(
        (await failureOf(execute("RunSyncWorkflow", request))).message.slice(0, 7),
        "Killed!"
      )
      assert.strictEqual(attempts(), 2)
    })
  })

  it("is not repeated for what the connector did", async () => {
    for (const type of ["ConnectorFailed", "OOM", "ImageUnpullable", "Deadline", "InvalidJob"]) {
      const { SyncActivity, attempts } = failing([type, type])
      await withWorker({ SyncActivity }, async () => {
        await failureOf(execute("RunSyncWorkflow", 7))
        assert.strictEqual(attempts(), 1)
      })
    }
  })

  it("goes on from the last good state where the one left is broken", async () => {
    const { SyncActivity, attempts } = failing(["Evicted"])
    let saved = 0
    await withWorker(
      {
        SyncActivity,
        PostSyncActivity: () =>
          (saved += 1) === 1
            ? refuse("InvalidState", true)()
            : Promise.resolve({ saved: true, state: { n: 1 } })
      },
      async () => {
        assert.deepStrictEqual(await execute("RunSyncWorkflow", 7), { n: 1 })
        assert.strictEqual(attempts(), 2)
      }
    )
  })

  /**
   * Asked of the history: while the state is still being saved, a cancel starts a StopActivity and gives it up a moment
   * later. Where that has just ended, the time-skipping server refuses the workflow task, and never gives it out again.
   */
  const pausing = async (handle: Awaited<ReturnType<typeof start>>) => {
    const { events } = await handle.fetchHistory()
    assert.isOk(
      events?.some((event) => event.timerStartedEventAttributes),
      "the pause has begun"
    )
  }

  it("is Canceled at once where it is cancelled between two Pods", async () => {
    const { SyncActivity, attempts } = failing(["Evicted", "Evicted"])
    await withWorker({ SyncActivity }, async (calls) => {
      const handle = await start("RunSyncWorkflow", request)
      await vi.waitFor(() => pausing(handle), { timeout: 10_000 })
      await handle.cancel()
      assert.instanceOf(await failureOf(handle.result()), CancelledFailure)
      assert.strictEqual(attempts(), 1)
      assert.deepStrictEqual(outcomes(calls), ["interrupted", "cancelled"])
    })
  })
})

describe("a run of the second contract", () => {
  const request = { command: "sync", job_id: 7, project_id: "123", args: null }
  const names = (calls: Calls) => calls.map((call) => call.split(" ")[0])
  const argument = (calls: Calls, index: number) =>
    JSON.parse(calls[index]?.replace(/^\w+ /, "") ?? "{}") as Record<string, unknown>
  const persisted = { finished: false, saved: true, state: {}, response: "hash/state.json" }
  const good = { PostSyncActivity: async () => persisted, PostClearActivity: async () => persisted }

  it("answers with the file of its state, and works under its own id", () =>
    withWorker(good, async (calls) => {
      assert.deepStrictEqual(await execute("RunSyncWorkflow", { ...request, workflow_id: "sync-123-7" }), {
        response: "hash/state.json"
      })
      assert.deepStrictEqual(names(calls), ["SyncActivity", "PostSyncActivity"])
      assert.include(argument(calls, 0), { ...request, workflow_id: `w-${count}` })
      assert.include(argument(calls, 1), { began: true, outcome: "completed" })
    }))

  it("goes through ExecuteActivity for a clear-destination, and nothing else", () =>
    withWorker(good, async (calls) => {
      await execute("RunSyncWorkflow", { ...request, command: "clear-destination" })
      assert.deepStrictEqual(names(calls), ["ExecuteActivity", "PostClearActivity"])
      const failure = await failureOf(execute("RunSyncWorkflow", { ...request, command: "drop" }))
      assert.strictEqual((failure as ApplicationFailure).type, "InvalidRequest")
      assert.lengthOf(calls, 2)
    }))

  it("that fails: the alert has the failure's words, and the state is saved all the same", () =>
    withWorker({ ...good, SyncActivity: refuse("OOM", true) }, async (calls) => {
      const failure = await failureOf(execute("RunSyncWorkflow", request))
      assert.strictEqual(failure.message, "OOM! What it had reached is saved.")
      assert.sameMembers(names(calls) as Array<string>, [
        "SyncActivity",
        "SendWebhookNotificationActivity",
        "PostSyncActivity"
      ])
      const alert = calls.find((call) => call.startsWith("Send")) ?? ""
      assert.include(alert, `"JobID":7,"ProjectID":"123"`)
      assert.include(alert, `"ErrorMessage":"OOM!"`)
      assert.include(calls.find((call) => call.startsWith("PostSync")) ?? "", `"outcome":"failed"`)
    }))

  it("that has done its work, but whose state cannot be saved, alerts too", () =>
    withWorker({ ...good, PostSyncActivity: refuse("InvalidState", true) }, async (calls) => {
      const failure = await failureOf(execute("RunSyncWorkflow", request))
      assert.strictEqual((failure as ApplicationFailure).type, "InvalidState")
      assert.include(calls.find((call) => call.startsWith("Send")) ?? "", `"ErrorMessage":"InvalidState!"`)
    }))

  it("whose request is refused is ended all the same: another worker may have begun it", () =>
    withWorker({ ...good, SyncActivity: refuse("InvalidRequest", true) }, async (calls) => {
      await failureOf(execute("RunSyncWorkflow", request))
      assert.include(names(calls), "PostSyncActivity")
    }))

  it("waits for its alert, but not for ever, and whatever becomes of it", () =>
    withWorker(
      {
        ...good,
        SyncActivity: refuse("OOM", true),
        SendWebhookNotificationActivity: refuse("WebhookError", false)
      },
      async (calls) => {
        assert.strictEqual(
          (await failureOf(execute("RunSyncWorkflow", request))).message,
          "OOM! What it had reached is saved."
        )
        assert.lengthOf(
          calls.filter((call) => call.startsWith("Send")),
          3
        )
      }
    ))

  it("that fails says what else is to be known", () =>
    withWorker(
      {
        ExecuteActivity: refuse("ConnectorFailed", true),
        PostClearActivity: async () => ({ ...persisted, remark: "Schedule x stays paused." })
      },
      async () => {
        const failure = await failureOf(
          execute("RunSyncWorkflow", { ...request, command: "clear-destination" })
        )
        assert.strictEqual(
          failure.message,
          "ConnectorFailed! What it had reached is saved. Schedule x stays paused."
        )
        assert.strictEqual((failure as ApplicationFailure).type, "ConnectorFailed")
      }
    ))

  it("hands over what the Go worker's activities have answered", () =>
    withWorker(
      { SyncActivity: async () => ({ response: "hash/state.json" }), PostSyncActivity: async () => null },
      async () =>
        assert.deepStrictEqual(await execute("RunSyncWorkflow", request), { response: "hash/state.json" })
    ))

  it("that is cancelled is asked to stop at once, alerts nobody, and tells how it went", () =>
    withWorker({ ...good, SyncActivity: untilCancelled }, async (calls) => {
      const handle = await start("RunSyncWorkflow", request)
      await begun(calls)
      await handle.cancel()
      assert.instanceOf(await failureOf(handle.result()), CancelledFailure)
      assert.deepStrictEqual(names(calls), ["SyncActivity", "StopActivity", "PostSyncActivity"])
      assert.include(argument(calls, 1), { operation: "sync", jobId: 7 })
      assert.include(argument(calls, 2), { outcome: "cancelled" })
    }))

  it("that had ended when it was asked to stop is completed", () =>
    withWorker(
      { ...good, SyncActivity: untilCancelled, StopActivity: async () => ({ finished: true }) },
      async (calls) => {
        const handle = await start("RunSyncWorkflow", request)
        await begun(calls)
        await handle.cancel()
        assert.deepStrictEqual(await handle.result(), { response: "hash/state.json" })
      }
    ))
})
