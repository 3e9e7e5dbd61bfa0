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

/** Of which contract a bare job id is: the one setting that workflow code sees. */
type Setting = "first" | "second"

const once = <A>(make: () => Promise<A>) => {
  let made: Promise<A> | undefined
  return () => (made ??= make())
}
const bundles = {
  first: once(() => Effect.runPromise(workflowBundle("first"))),
  second: once(() => Effect.runPromise(workflowBundle("second")))
}

interface Named {
  readonly name: string
  readonly history: unknown
}

/** By name, the errors of those that do not replay. One worker replays all: its start costs more than they do. */
const replay = async (histories: ReadonlyArray<Named>, bareJobId: Setting = "first") => {
  const options = { workflowBundle: await bundles[bareJobId]() }
  const named = histories.map(({ name, history }, index) => ({ history, workflowId: `${index} of ${name}` }))
  const errors: Array<{ readonly name: string; readonly error: Error }> = []
  for await (const { workflowId, error } of Worker.runReplayHistories(options, named)) {
    const { name = workflowId } = histories[Number.parseInt(workflowId)] ?? {}
    if (error !== undefined) errors.push({ name, error })
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

/** Those of a suite, each a test of its own; the first of them replays them all. */
const replaysWhole = (setting: Setting) => {
  const all: Array<Named> = []
  let errors: ReturnType<typeof replay> | undefined
  return (name: string, history = read(name)) => {
    all.push(...[history, ...cuts(history)].map((one) => ({ name, history: one })))
    it(`${name}, whole and cut at ${cuts(history).length} workflow tasks`, async () => {
      assert.isAbove(cuts(history).length, 0)
      errors ??= replay(all, setting)
      assert.deepStrictEqual(
        (await errors).filter((one) => one.name === name),
        []
      )
    })
  }
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
  const replays = replaysWhole("second")
  for (const name of namesIn("go/")) replays(name)

  const completed = JSON.stringify(read("go/sync-completed"))
  const input = /"payloads": ?\[[^\]]*\]/
  const bare = Buffer.from("7").toString("base64")
  const ofBareId = completed.replace(
    input,
    `"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"${bare}"}]`
  )
  replays("of a bare job id", JSON.parse(ofBareId) as History)

  for (const name of [
    "sync-completed",
    "sync-failed-exit1",
    "sync-cancelled",
    "clear-destination-completed"
  ]) {
    replays(`${name}, its first workflow task lost`, withLostTask(read(`go/${name}`)))
  }

  it("but not where an activity has another name", async () => {
    const other = JSON.parse(completed.replaceAll(`"activityId":"12"`, `"activityId":"13"`)) as History
    // Of a history that is over, the SDK does not look at these names.
    const last = cuts(other).slice(-1)
    const errors = await replay(
      last.map((history) => ({ name: "another id", history })),
      "second"
    )
    assert.lengthOf(errors, 1)
  })
})

describe("recorded histories replay", () => {
  const ofFirst = replaysWhole("first")
  for (const name of namesIn("./")) ofFirst(name)
  const ofSecond = replaysWhole("second")
  for (const name of namesIn("chart/")) ofSecond(name)

  it("a history of other commands does not", async () => {
    const text = JSON.stringify(read("sync-completed")).replaceAll("PostSyncActivity", "AnotherActivity")
    const [failed] = await replay([{ name: "another type", history: JSON.parse(text) }])
    assert.include(failed?.error.name, "Determinism")
  })
})
