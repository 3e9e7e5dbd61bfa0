/**
 * Histories of released workflows must replay on today's code: a sync may have begun a month ago. Recorded from a real
 * server, one of each shape; each whole, and cut at every workflow task, as a worker meets it that takes over in flight.
 */
import { DefaultLogger, Runtime, Worker } from "@temporalio/worker"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, beforeAll, describe, it } from "vitest"

const workflowBundle = { codePath: fileURLToPath(new URL("../../dist/workflow-bundle.js", import.meta.url)) }
const folder = new URL("../fixtures/histories/", import.meta.url)

interface History {
  readonly events: ReadonlyArray<{ readonly eventType: string }>
}
const read = (name: string) => JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8")) as History
const replay = (history: unknown, name: string) => Worker.runReplayHistory({ workflowBundle }, history, name)

/** The history as it was when each workflow task began. */
const cuts = ({ events }: History): ReadonlyArray<History> =>
  events.flatMap(({ eventType }, index) =>
    eventType === "EVENT_TYPE_WORKFLOW_TASK_STARTED" ? [{ events: events.slice(0, index + 1) }] : []
  )

beforeAll(() => {
  Runtime.install({ logger: new DefaultLogger("ERROR") })
})

describe("recorded histories replay", () => {
  for (const file of readdirSync(folder)) {
    const name = file.replace(".json", "")
    const history = read(name)
    it(`${name}, whole and cut at ${cuts(history).length} workflow tasks`, async () => {
      assert.isAbove(cuts(history).length, 0)
      await replay(history, name)
      for (const part of cuts(history)) await replay(part, name)
    })
  }

  it("a history of other commands does not", async () => {
    const text = JSON.stringify(read("sync-completed")).replaceAll("PostSyncActivity", "AnotherActivity")
    const error = await replay(JSON.parse(text), "negative").then(
      () => undefined,
      (cause: unknown) => cause
    )
    assert.instanceOf(error, Error)
    assert.include(error.name, "Determinism")
  })
})
