/**
 * Histories of released workflows must replay on today's code: a sync may have begun a month ago. Recorded from a real
 * server, one of each shape; each whole, and cut at every workflow task, as a worker meets it that takes over in flight.
 */
import { DefaultLogger, Runtime, Worker } from "@temporalio/worker"
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
  }>
}
const read = (name: string) => JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8")) as History
const namesIn = (subfolder: string) =>
  readdirSync(new URL(subfolder, folder))
    .filter((file) => file.endsWith(".json"))
    .map((file) => `${subfolder}${file.replace(".json", "")}`)

/** The errors of those that do not replay. */
const replay = async (histories: ReadonlyArray<unknown>, bareJobId: "first" | "second" = "first") => {
  const options = { workflowBundle: await Effect.runPromise(workflowBundle(bareJobId)) }
  const named = histories.map((history, index) => ({ history, workflowId: `cut-${index}` }))
  const errors: Array<Error> = []
  for await (const { error } of Worker.runReplayHistories(options, named))
    if (error !== undefined) errors.push(error)
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

const replaysWhole = (name: string, bareJobId: "first" | "second", history = read(name)) => {
  it(`${name}, whole and cut at ${cuts(history).length} workflow tasks`, async () => {
    assert.isAbove(cuts(history).length, 0)
    assert.deepStrictEqual(await replay([history, ...cuts(history)], bareJobId), [])
  })
}

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

describe("histories of the Go worker replay", () => {
  for (const name of namesIn("go/")) replaysWhole(name, "second")

  const completed = JSON.stringify(read("go/sync-completed"))
  const input = /"payloads": ?\[[^\]]*\]/
  const bare = Buffer.from("7").toString("base64")
  const ofBareId = completed.replace(
    input,
    `"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"${bare}"}]`
  )
  replaysWhole("of a bare job id", "second", JSON.parse(ofBareId) as History)

  for (const name of [
    "sync-completed",
    "sync-failed-exit1",
    "sync-cancelled",
    "clear-destination-completed"
  ]) {
    replaysWhole(`${name}, its first workflow task lost`, "second", withLostTask(read(`go/${name}`)))
  }

  it("but not where an activity has another name", async () => {
    const other = JSON.parse(completed.replaceAll(`"activityId":"12"`, `"activityId":"13"`)) as History
    // Of a history that is over, the SDK does not look at these names.
    const errors = await replay(cuts(other).slice(-1), "second")
    assert.lengthOf(errors, 1)
  })
})

describe("recorded histories replay", () => {
  for (const name of namesIn("./")) replaysWhole(name, "first")
  for (const name of namesIn("chart/")) replaysWhole(name, "second")

  it("a history of other commands does not", async () => {
    const text = JSON.stringify(read("sync-completed")).replaceAll("PostSyncActivity", "AnotherActivity")
    const [error] = await replay([JSON.parse(text)])
    assert.include(error?.name, "Determinism")
  })
})
