/**
 * Histories of released workflows must replay on today's code: a sync may have begun a month ago. Recorded from a real
 * server, one of each shape; each whole, and cut at every workflow task, as a worker meets it that takes over in flight.
 */
import { DefaultLogger, Runtime, Worker, type WorkflowBundleOption } from "@temporalio/worker"
import * as Effect from "effect/Effect"
import { readdirSync, readFileSync } from "node:fs"
import { assert, beforeAll, describe, it } from "vitest"
import { workflowBundle } from "../../src/temporal/TemporalWorker.ts"

const folder = new URL("../fixtures/histories/", import.meta.url)

interface History {
  readonly events: ReadonlyArray<{
    readonly eventType: string
    readonly eventTime?: string
    readonly taskId?: string
    readonly workflowExecutionStartedEventAttributes?: { readonly taskQueue: { readonly name: string } }
  }>
}
type BareJobId = "first" | "second"
const SETTINGS: ReadonlyArray<BareJobId> = ["first", "second"]
const read = (name: string) => JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8")) as History
const namesIn = (subfolder: string) =>
  readdirSync(new URL(subfolder, folder))
    .filter((file) => file.endsWith(".json"))
    .map((file) => `${subfolder}${file.replace(".json", "")}`)

/** The queue that a run was started on; a replay does not tell the workflow. */
const queueOf = ({ events: [started] }: History): string =>
  started?.workflowExecutionStartedEventAttributes?.taskQueue.name ?? ""

const bundles = new Map<string, Promise<WorkflowBundleOption>>()
const bundleFor = (bareJobId: BareJobId, taskQueue: string): Promise<WorkflowBundleOption> => {
  const key = `${bareJobId} ${taskQueue}`
  const temporal = { external: false, taskQueue }
  const bundle = bundles.get(key) ?? Effect.runPromise(workflowBundle({ bareJobId, temporal }))
  bundles.set(key, bundle)
  return bundle
}

/** The errors of those that do not replay, by the history's place. */
const replay = async (histories: ReadonlyArray<History>, bareJobId: BareJobId = "first") => {
  const errors = new Map<number, Error>()
  const placed = histories.map((history, index) => ({ history, workflowId: String(index) }))
  for (const [queue, some] of Map.groupBy(placed, ({ history }) => queueOf(history))) {
    const options = { workflowBundle: await bundleFor(bareJobId, queue) }
    for await (const { workflowId, error } of Worker.runReplayHistories(options, some))
      if (error !== undefined) errors.set(Number(workflowId), error)
  }
  return errors
}

/** The history as it was when each workflow task began. */
const cuts = ({ events }: History): ReadonlyArray<History> =>
  events.flatMap(({ eventType }, index) =>
    eventType === "EVENT_TYPE_WORKFLOW_TASK_STARTED" ? [{ events: events.slice(0, index + 1) }] : []
  )

beforeAll(() => {
  Runtime.install({ logger: new DefaultLogger("ERROR") })
})

/**
 * All of them under every setting that reaches the workflows: the history decides, not the worker that replays it. One
 * worker replays them all, since starting one costs a second.
 */
const replayWhole = (histories: ReadonlyArray<readonly [name: string, history: History]>) => {
  const pieces = histories.flatMap(([name, history]) =>
    [history, ...cuts(history)].map((piece) => ({ name, piece }))
  )
  for (const bareJobId of SETTINGS) {
    describe(`where a bare job id is of the ${bareJobId} contract`, () => {
      const failed = new Map<string, Array<Error>>()
      beforeAll(async () => {
        const errors = await replay(
          pieces.map(({ piece }) => piece),
          bareJobId
        )
        for (const [index, error] of errors) {
          const { name = "" } = pieces[index] ?? {}
          failed.set(name, [...(failed.get(name) ?? []), error])
        }
      }, 120_000)
      for (const [name, history] of histories) {
        it(`${name}, whole and cut at ${cuts(history).length} workflow tasks`, () => {
          assert.isAbove(cuts(history).length, 0)
          assert.deepStrictEqual(failed.get(name) ?? [], [])
        })
      }
    })
  }
}

const inFolder = (subfolder: string) => namesIn(subfolder).map((name) => [name, read(name)] as const)

const ADDED = 3
const EVENT_ID = /^(?:eventId|activityId|(?:scheduled|started|workflowTaskCompleted|initiated)EventId)$/

/** The same, as it would be had the worker died in its first workflow task: all later events come three later. */
const withLostTask = ({ events }: History): History => {
  const shifted = (value: unknown, key = ""): unknown => {
    if (Array.isArray(value)) return value.map((item) => shifted(item))
    if (typeof value === "object" && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shifted(item, name)]))
    }
    const isId = EVENT_ID.test(key) && Number(value) >= 2
    return isId ? String(Number(value) + ADDED) : value
  }
  const [started, scheduled, begun, ...rest] = events
  const timedOut = {
    eventTime: begun?.eventTime,
    taskId: begun?.taskId,
    eventId: "4",
    eventType: "EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT",
    workflowTaskTimedOutEventAttributes: {
      scheduledEventId: "2",
      startedEventId: "3",
      timeoutType: "TIMEOUT_TYPE_START_TO_CLOSE"
    }
  }
  const again = { ...scheduled, eventId: "5" }
  const begunAgain = {
    ...begun,
    eventId: "6",
    workflowTaskStartedEventAttributes: { scheduledEventId: "5", requestId: "again" }
  }
  const later = rest.map((event) => shifted(event)) as History["events"]
  return { events: [started, scheduled, begun, timedOut, again, begunAgain, ...later] as History["events"] }
}

/** The same, of a Go worker whose PostSyncActivity gets how the sync went: olake-helm since 0.3.10. */
const withStatus = ({ events }: History, status: string): History => {
  const data = Buffer.from(JSON.stringify(status)).toString("base64")
  const payload = { metadata: { encoding: Buffer.from("json/plain").toString("base64") }, data }
  return {
    events: events.map((event) => {
      const text = JSON.stringify(event)
      if (!text.includes('"PostSyncActivity"') || !text.includes('"payloads"')) return event
      // SAFETY: the event itself, with one payload more
      const { activityTaskScheduledEventAttributes: scheduled, ...rest } = event as History["events"][0] & {
        activityTaskScheduledEventAttributes: { input: { payloads: ReadonlyArray<unknown> } }
      }
      const payloads = [...scheduled.input.payloads, payload]
      return { ...rest, activityTaskScheduledEventAttributes: { ...scheduled, input: { payloads } } }
    })
  }
}

describe("histories of the Go worker replay", () => {
  const completed = JSON.stringify(read("go/sync-completed"))
  const input = /"payloads": ?\[[^\]]*\]/
  const bare = Buffer.from("7").toString("base64")
  const ofBareId = completed.replace(
    input,
    `"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"${bare}"}]`
  )
  const lost = ["sync-completed", "sync-failed-exit1", "sync-cancelled", "clear-destination-completed"]
  replayWhole([
    ...inFolder("go/"),
    ["of a bare job id", JSON.parse(ofBareId) as History],
    ...(
      [
        ["sync-completed", "success"],
        ["sync-cancelled", "cancelled"],
        ["sync-failed-exit1", "failed"]
      ] as const
    ).map(([name, status]) => {
      const history = withStatus(read(`go/${name}`), status)
      assert.notDeepEqual(history, read(`go/${name}`))
      return [`${name}, its PostSyncActivity told so`, history] as const
    }),
    ...lost.map(
      (name) => [`${name}, its first workflow task lost`, withLostTask(read(`go/${name}`))] as const
    )
  ])

  it("but not where an activity has another name", async () => {
    const other = JSON.parse(completed.replaceAll(`"activityId":"12"`, `"activityId":"13"`)) as History
    // Of a history that is over, the SDK does not look at these names.
    const errors = await replay(cuts(other).slice(-1), "second")
    assert.strictEqual(errors.size, 1)
  })
})

describe("recorded histories replay", () => {
  replayWhole([...inFolder("./"), ...inFolder("chart/")])

  it("a history of other commands does not", async () => {
    const text = JSON.stringify(read("sync-completed")).replaceAll("PostSyncActivity", "AnotherActivity")
    const errors = await replay([JSON.parse(text) as History])
    assert.include(errors.get(0)?.name, "Determinism")
  })
})

/** Of runs of that version's own workers, half of them in flight: an update must not lose one. */
describe("histories of version 0.1.0 replay", () => {
  replayWhole([...inFolder("v0.1.0/legacy/"), ...inFolder("v0.1.0/current/")])

  const waiting = JSON.stringify(read("v0.1.0/current/sync-waiting"))
  it("but not where a command that is in flight is another", async () => {
    const other = JSON.parse(waiting.replaceAll("SyncActivity", "AnotherActivity")) as History
    const errors = await replay([other], "second")
    assert.include(errors.get(0)?.name, "Determinism")
  })
})
