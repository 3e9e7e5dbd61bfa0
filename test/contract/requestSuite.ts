/** What OLake's second contract promises, in the environment of its chart; asserted alike on LocalPods and on a cluster. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { eventually } from "../support/Conditions.ts"
import {
  directoryOf,
  encrypted,
  failedAs,
  insertProbeJob,
  nothingLeft,
  stateOf,
  succeeded,
  untilBegun
} from "../support/world/Runs.ts"
import { ask } from "../../dev/world/Worker.ts"
import { ended, type Ended, execute, params, start, uniqueId } from "../support/world/Workflows.ts"
import { SECRET_KEY, World } from "../support/world/World.ts"

type It = (name: string, test: () => Effect.Effect<void, unknown, World>, timeout?: number) => void

const M = "/mnt/config"
/** An ExecutionRequest with every key that OLake's UI sends. */
const request = (over: Readonly<Record<string, unknown>>) => ({
  command: "",
  connector_type: "probe",
  version: "v0.0.0-dev",
  args: null,
  configs: null,
  workflow_id: "",
  project_id: "123",
  job_id: 0,
  timeout: 600_000_000_000,
  output_file: "",
  temp_path: "",
  ...over
})

/** What the UI does for a direct command: files into the run's directory, then the workflow. */
const direct = (
  prefix: string,
  files: Readonly<Record<string, unknown>>,
  over: Readonly<Record<string, unknown>>
) =>
  Effect.gen(function* () {
    const { storage } = yield* World
    const id = uniqueId(prefix)
    if (Object.keys(files).length > 0) fs.mkdirSync(path.join(storage, id))
    for (const [name, content] of Object.entries(files)) {
      fs.writeFileSync(
        path.join(storage, id, name),
        typeof content === "string" ? content : JSON.stringify(content)
      )
    }
    const run = yield* execute("ExecuteWorkflow", id, request({ workflow_id: id, ...over }))
    return { ...run, id }
  })

/** As the UI reads a result: the path in `response`, a JSON object there. */
const outputOf = (run: Ended) =>
  Effect.map(World, ({ storage }) => {
    succeeded(run)
    const { response } = run.result as { response: string }
    const text = fs.readFileSync(path.join(storage, response), "utf8")
    return { response, text, value: JSON.parse(text) as Record<string, unknown> }
  })

/** As the UI finds the log of a run. */
const logOf = (directory: string) =>
  Effect.map(World, ({ storage }) => {
    const logs = path.join(storage, directory, "logs")
    const [first] = fs.readdirSync(logs).filter((name) => name.startsWith("sync_"))
    return fs.readFileSync(path.join(logs, first ?? "none", "olake.log"), "utf8")
  })

const workerLogOf = (directory: string) =>
  Effect.map(World, ({ storage }) =>
    fs.readFileSync(path.join(storage, directory, "logs", "worker.log"), "utf8")
  )

const SYNC_ARGS = ["sync", "--config", `${M}/source.json`, "--destination", `${M}/destination.json`]
const syncRequest = (jobId: number, over: Readonly<Record<string, unknown>> = {}) =>
  request({
    command: "sync",
    args: [...SYNC_ARGS, "--catalog", `${M}/streams.json`, "--state", `${M}/state.json`],
    workflow_id: `sync-123-${jobId}`,
    job_id: jobId,
    timeout: 2_592_000_000_000_000,
    output_file: "state.json",
    ...over
  })
const SPLIT_ARGS = [
  "--available-streams",
  `${M}/available_streams.json`,
  "--selected-streams",
  `${M}/selected_streams.json`
]
/** As the UI schedules a job with a split catalog. */
const splitSyncRequest = (jobId: number) =>
  syncRequest(jobId, { args: [...SYNC_ARGS, "--state", `${M}/state.json`, ...SPLIT_ARGS] })
const clearRequest = (jobId: number, temp: string) =>
  syncRequest(jobId, {
    command: "clear-destination",
    args: [
      "clear-destination",
      "--state",
      `${M}/state.json`,
      "--destination",
      `${M}/destination.json`,
      ...(temp.endsWith("selected_streams.json") ? SPLIT_ARGS : ["--streams", `${M}/streams.json`])
    ],
    temp_path: temp
  })
/** What the connector was called with then; LocalPods gives its files other folders. */
const SPLIT_CALL =
  /--available-streams \S+\/available_streams\.json --selected-streams \S+\/selected_streams\.json/
/** Both files of a split catalog. */
const SPLIT = {
  "available_streams.json": `{"streams":["there"]}`,
  "selected_streams.json": `{"selected_streams":{"public":[{"stream_name":"to clear"}]}}`
}

const jobOf = (scenario: string, state?: string) => insertProbeJob({ source: { scenario } }, state)

const runSync = (jobId: number, input: unknown = syncRequest(jobId)) =>
  Effect.gen(function* () {
    const id = uniqueId(`sync-123-${jobId}`)
    const run = yield* execute("RunSyncWorkflow", id, input)
    return { ...run, id, directory: directoryOf(id) }
  })

const events = (workflowId: string) =>
  Effect.map(World, ({ heard }) =>
    heard
      .filter(({ path: route }) => route === "/internal/worker/callback/sync-telemetry")
      .map(({ body }) => JSON.parse(body) as { workflow_id: string; event: string })
      .filter(({ workflow_id }) => workflow_id === workflowId)
      .map(({ event }) => event)
  )

const propertiesOf = (workflowId: string) =>
  Effect.map(
    World,
    ({ heard }) =>
      heard
        .map(({ body }) => body)
        .filter((body) => body.includes(`"workflow_id":"${workflowId}"`))
        .map((body) => (JSON.parse(body) as { properties: object }).properties)[0]
  )

/** Alerts of a project of its own, for tests run one after the other but others' alerts must not count. */
const alertsAt = (route: string) =>
  Effect.map(World, ({ heard }) => heard.filter(({ path: at }) => at === route).map(({ body }) => body))

const eventNames = (run: Ended): ReadonlyArray<string> =>
  (
    JSON.parse(run.history) as {
      events: ReadonlyArray<{
        eventType: string
        activityTaskScheduledEventAttributes?: { activityType: { name: string } }
      }>
    }
  ).events.map(({ eventType, activityTaskScheduledEventAttributes: scheduled }) =>
    scheduled === undefined
      ? eventType.replace("EVENT_TYPE_", "")
      : `SCHEDULED ${scheduled.activityType.name}`
  )

export const requestSuite = (it: It): void => {
  it("discover: the connector's streams.json, its log, and the worker's own", () =>
    Effect.gen(function* () {
      const { storage } = yield* World
      const args = ["discover", "--config", `${M}/config.json`, "--max-discover-threads", "50"]
      const run = yield* direct(
        "discover-catalog-probe",
        { "config.json": { scenario: "ok" }, "streams.json": "", "user_id.txt": "u" },
        { command: "discover", args, output_file: "streams.json" }
      )
      const { response, value } = yield* outputOf(run)
      assert.strictEqual(response, `${run.id}/streams.json`)
      assert.lengthOf(value["streams"] as ReadonlyArray<unknown>, 1)
      assert.include(yield* logOf(run.id), "discovered 1 stream")
      const lines = (yield* workerLogOf(run.id)).trim().split("\n")
      for (const line of lines) assert.containsAllKeys(JSON.parse(line), ["level", "time", "message"])
      for (const text of ["picked up the discover, attempt 1", "Pod created", "is on node", "requests cpu="])
        assert.include(lines.join(), text)
      // What OLake's UI has sent stays; what it has not is added.
      const told = fs.readFileSync(path.join(storage, run.id, "telemetry.json"), "utf8")
      assert.include(told, `"schema_version":1,"service":"UI"`)
      assert.strictEqual(fs.readFileSync(path.join(storage, run.id, "user_id.txt"), "utf8"), "u")
      yield* nothingLeft
    }))

  it("check: output.json as Go writes it, and a log beside it", () =>
    Effect.gen(function* () {
      const run = yield* direct(
        "test-connection-probe",
        { "config.json": { scenario: "ok" } },
        { command: "check", args: ["check", "--config", `${M}/config.json`] }
      )
      const { response, text } = yield* outputOf(run)
      assert.strictEqual(response, `${run.id}/output.json`)
      assert.strictEqual(text, `{"connectionStatus":{"status":"SUCCEEDED"},"type":"CONNECTION_STATUS"}`)
      yield* logOf(run.id)
    }))

  it("check of a destination, with the key among its arguments: seen in no Pod, history or log", () =>
    Effect.gen(function* () {
      const { worker } = yield* World
      const key = "another-secret-key"
      const run = yield* direct(
        "test-connection-probe",
        { "config.json": { scenario: "ok" } },
        { command: "check", args: ["check", "--destination", `${M}/config.json`, "--encryption-key", key] }
      )
      yield* outputOf(run)
      assert.notInclude(worker.output(), key)
      assert.notInclude(yield* workerLogOf(run.id), key)
      yield* nothingLeft
    }))

  for (const scenario of ["failed-check-exit-1", "failed-check-exit-0"]) {
    it(`${scenario}: the connector's own message reaches the UI`, () =>
      Effect.gen(function* () {
        const run = yield* direct(
          "test-connection-probe",
          { "config.json": { scenario } },
          { command: "check", args: ["check", "--config", `${M}/config.json`] }
        )
        const { value } = yield* outputOf(run)
        assert.deepStrictEqual(value["connectionStatus"], {
          status: "FAILED",
          message: `password authentication failed for user "shop"`
        })
      }))
  }

  it("spec: what the connector prints, without any file of the UI", () =>
    Effect.gen(function* () {
      const run = yield* direct(
        "fetch-spec-probe",
        {},
        { command: "spec", args: ["spec"], timeout: 300_000_000_000 }
      )
      const { response, text } = yield* outputOf(run)
      assert.strictEqual(response, `${run.id}/output.json`)
      assert.strictEqual(text, `{"jsonschema":{},"uischema":{}}`)
    }))

  it("stream difference: its file beside the two", () =>
    Effect.gen(function* () {
      const run = yield* direct(
        "difference-123-8",
        { "old_streams.json": { streams: [] }, "new_streams.json": { streams: [1] } },
        {
          command: "discover",
          job_id: 8,
          args: ["discover", "--streams", `${M}/old_streams.json`, "--difference", `${M}/new_streams.json`],
          output_file: "difference_streams.json"
        }
      )
      const { response, value } = yield* outputOf(run)
      assert.strictEqual(response, `${run.id}/difference_streams.json`)
      assert.deepStrictEqual(value, { streams: [1] })
    }))

  it("a discover that leaves no file, or half of one, fails and says so", () =>
    Effect.gen(function* () {
      const discover = (files: Readonly<Record<string, unknown>>) =>
        direct("discover-catalog-probe", files, {
          command: "discover",
          args: ["discover", "--config", `${M}/config.json`],
          output_file: "streams.json"
        })
      const none = { "config.json": { scenario: "no-catalog" } }
      failedAs(yield* discover(none), "ResultMissing", "streams.json")
      failedAs(
        yield* discover({ ...none, "streams.json": `{"half` }),
        "InvalidFile",
        "streams.json",
        "not valid JSON"
      )
    }))

  it("a sync: state saved, configs gone, result and log where the UI looks, the UI told", () =>
    Effect.gen(function* () {
      const { storage, tables, temporal } = yield* World
      fs.mkdirSync(path.join(storage, "telemetry"), { recursive: true })
      fs.writeFileSync(path.join(storage, "telemetry", "user_id"), "user-1")
      const jobId = yield* jobOf("ok")
      yield* tables.setActive(jobId, false)
      const run = yield* runSync(jobId)
      const { response, text } = yield* outputOf(run)
      assert.strictEqual(response, `${run.directory}/state.json`)
      assert.include(text, "9007199254740993")
      assert.include(yield* stateOf(jobId), "9007199254740993")
      // Not the worker's business: a paused job stays paused.
      assert.isFalse(yield* tables.isActive(jobId))
      const files = fs.readdirSync(path.join(storage, run.directory))
      assert.notIncludeMembers(files, ["source.json", "destination.json"])
      assert.includeMembers(files, ["streams.json", "state.json", "user_id.txt", "stats.json"])
      const told = JSON.parse(
        fs.readFileSync(path.join(storage, run.directory, "telemetry.json"), "utf8")
      ) as object
      const facts = {
        schema_version: 1,
        service: "UI",
        distinct_id: "user-1",
        job_id: jobId,
        environment: "kubernetes"
      }
      assert.include(told, { ...facts, source_version: "v0.0.0-dev" })
      assert.match(JSON.stringify(told), /"created_at":"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"/)
      // The job has no schedule here, so nobody knows how often it has run.
      assert.notProperty(told, "sync_run_count")
      assert.deepInclude(yield* propertiesOf(run.id), told)
      // An empty state is none: the connector begins in its latest format.
      assert.notInclude(yield* logOf(run.directory), "--state")
      assert.deepStrictEqual(yield* events(run.id), ["started", "completed"])
      const names = eventNames(run)
      assert.strictEqual(names[4], "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES")
      yield* eventually("the UI finds it by OperationType", async () => {
        const found = await Effect.runPromise(
          temporal(["workflow", "list", "--query", `OperationType = 'sync' AND WorkflowId = '${run.id}'`])
        )
        return found.stdout.includes(run.id) ? true : undefined
      })
      const second = yield* runSync(jobId)
      succeeded(second)
      assert.include(yield* logOf(second.directory), "--state")
      yield* nothingLeft
    }))

  it("an indicator of GitOps: a Pod that shows the error, replaced, and taken away", () =>
    Effect.gen(function* () {
      const { platform } = yield* World
      const name = uniqueId("source-shop")
      const ask = (action: string, message = "") =>
        execute("IndicatorWorkflow", uniqueId(`indicator-${name}-${action}`), {
          action,
          name,
          namespace: "",
          kind: "source",
          resource_name: "shop",
          message
        })
      const isThere = Effect.promise(async () => (await platform.pods()).some((pod) => pod.includes(name)))
      succeeded(yield* ask("spawn", "no host in its config"))
      assert.isTrue(yield* isThere)
      const objects = yield* Effect.promise(() => platform.objects())
      assert.include(objects, "no host in its config")
      succeeded(yield* ask("spawn", "no port either"))
      assert.include(yield* Effect.promise(() => platform.objects()), "no port either")
      succeeded(yield* ask("delete"))
      yield* eventually("it is gone", async () =>
        (await platform.pods()).some((pod) => pod.includes(name)) ? undefined : true
      )
      // One that is not there is deleted too.
      succeeded(yield* ask("delete"))
      failedAs(yield* ask("other"), "InvalidRequest", "action")
      yield* nothingLeft
    }))

  it("a bare job id, of schedules older than requests", () =>
    Effect.gen(function* () {
      const jobId = yield* jobOf("ok")
      const id = uniqueId(`sync-123-${jobId}`)
      const run = yield* execute("RunSyncWorkflow", id, jobId)
      const { response } = yield* outputOf(run)
      assert.strictEqual(response, `${directoryOf(id)}/state.json`)
      assert.include(eventNames(run), "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES")
      assert.include(yield* stateOf(jobId), "9007199254740993")
    }))

  it("encrypted configs are decrypted for the connector, readable to nobody else, and gone at the end", () =>
    Effect.gen(function* () {
      const { storage, platform, temporal, worker } = yield* World
      const marker = "marker-of-a-database-password"
      const jobId = yield* insertProbeJob(
        { source: { scenario: "sleep", password: marker }, destination: { type: "ICEBERG" } },
        "{}",
        encrypted
      )
      const id = uniqueId(`sync-123-${jobId}`)
      yield* start("RunSyncWorkflow", id, syncRequest(jobId))
      const folder = path.join(storage, directoryOf(id))
      yield* untilBegun(folder)
      for (const file of ["source.json", "destination.json"]) {
        assert.strictEqual(fs.statSync(path.join(folder, file)).mode & 0o777, 0o600)
      }
      assert.include(fs.readFileSync(path.join(folder, "source.json"), "utf8"), marker)
      const objects = yield* Effect.promise(() => platform.objects())
      for (const secret of [SECRET_KEY, marker]) assert.notInclude(objects, secret)
      yield* temporal(["workflow", "cancel", "--workflow-id", id])
      const run = yield* ended(id)
      assert.strictEqual(run.status, "CANCELED")
      for (const secret of [SECRET_KEY, marker]) {
        assert.notInclude(run.history, secret)
        assert.notInclude(worker.output(), secret)
      }
      assert.isFalse(fs.existsSync(path.join(folder, "source.json")))
    }))

  it("a row of another key is a failure that says what to do", () =>
    Effect.gen(function* () {
      const jobId = yield* insertProbeJob({}, "{}", () =>
        JSON.stringify(Buffer.alloc(60, 7).toString("base64"))
      )
      failedAs(yield* runSync(jobId), "DecryptionError", `source config of job ${jobId}`, "OLAKE_SECRET_KEY")
    }))

  it("a cancelled sync: asked to stop by the workflow itself, Canceled, checkpoint saved, no alert", () =>
    Effect.gen(function* () {
      const { storage, temporal, tables, heardAt } = yield* World
      yield* tables.setWebhook("123", `${heardAt}/of-cancelled`)
      const jobId = yield* jobOf("sleep", `{"old":true}`)
      const id = uniqueId(`sync-123-${jobId}`)
      yield* start("RunSyncWorkflow", id, syncRequest(jobId))
      yield* untilBegun(path.join(storage, directoryOf(id)))
      yield* temporal(["workflow", "cancel", "--workflow-id", id])
      const run = yield* ended(id)
      assert.strictEqual(run.status, "CANCELED")
      assert.include(yield* stateOf(jobId), "0/2")
      const names = eventNames(run)
      // Not after the sync's activity has heard of the cancel: that takes as long as a heartbeat.
      assert.isBelow(names.indexOf("SCHEDULED StopActivity"), names.indexOf("SCHEDULED PostSyncActivity"))
      assert.isBelow(
        names.indexOf("SCHEDULED StopActivity") - names.indexOf("WORKFLOW_EXECUTION_CANCEL_REQUESTED"),
        7
      )
      assert.notInclude(names, "SCHEDULED SendWebhookNotificationActivity")
      assert.deepStrictEqual(yield* alertsAt("/of-cancelled"), [])
      assert.deepStrictEqual(yield* events(id), ["started", "cancelled"])
      yield* nothingLeft
    }))

  it("a failed sync: its alert has the connector's words, the job's name and the time", () =>
    Effect.gen(function* () {
      const { tables, heardAt } = yield* World
      yield* tables.setWebhook("123", `${heardAt}/of-failed`)
      const jobId = yield* jobOf("exit-1", `{"kept": true}`)
      const run = yield* runSync(jobId)
      failedAs(run, "ConnectorFailed", "could not open the replication slot")
      assert.strictEqual(yield* stateOf(jobId), `{"kept": true}`)
      const [alert = "", ...more] = yield* alertsAt("/of-failed")
      assert.deepStrictEqual(more, [])
      const { text } = JSON.parse(alert) as { text: string }
      assert.include(text, "Sync Failure Detected!")
      assert.include(text, `*Job ID:* \`${jobId}\``)
      assert.include(text, "*Job Name:* `shop to files`")
      assert.include(text, "could not open the replication slot")
      assert.match(text, /\*Last Run Time:\* \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/)
      assert.deepStrictEqual(yield* events(run.id), ["started", "failed"])
      assert.include(yield* workerLogOf(run.directory), "could not open the replication slot")
      yield* nothingLeft
    }))

  it("an alert that cannot be sent changes nothing of the run", () =>
    Effect.gen(function* () {
      const { tables, heardAt, worker } = yield* World
      yield* tables.setWebhook("123", `${heardAt}/403/secret-path`)
      failedAs(yield* runSync(yield* jobOf("exit-1")), "ConnectorFailed", "replication slot")
      assert.include(worker.output(), "webhook_alert_url")
      assert.notInclude(worker.output(), "secret-path")
    }))

  const pausedSchedule = (jobId: number, input: unknown) =>
    Effect.gen(function* () {
      const { temporal, taskQueue } = yield* World
      const id = `schedule-sync-123-${jobId}`
      const made = yield* temporal([
        "schedule",
        "create",
        ...Object.entries({
          "--schedule-id": id,
          "--cron": "0 0 1 1 *",
          "--overlap-policy": "Skip",
          "--workflow-id": `sync-123-${jobId}`,
          "--type": "RunSyncWorkflow",
          "--task-queue": taskQueue,
          "--input": JSON.stringify(input),
          "--notes": "user paused the schedule"
        }).flat(),
        "--paused"
      ])
      assert.strictEqual(made.exitCode, 0, made.stderr)
      return id
    })

  const describeSchedule = (id: string) =>
    Effect.gen(function* () {
      const { temporal } = yield* World
      const { stdout } = yield* temporal(["schedule", "describe", "--schedule-id", id, "-o", "json"])
      const { schedule, info } = JSON.parse(stdout) as {
        schedule: {
          spec: unknown
          policies: unknown
          action: unknown
          state: { paused?: boolean; notes?: string }
        }
        info: { recentActions?: ReadonlyArray<{ startWorkflowResult: { workflowId: string } }> }
      }
      const payloads = JSON.stringify(schedule.action).match(/"data":"([^"]+)"/)?.[1] ?? ""
      const request = JSON.parse(Buffer.from(payloads, "base64").toString() || "{}") as Record<
        string,
        unknown
      >
      const { spec, policies } = schedule
      return { request, spec, policies, ...schedule.state, runs: info.recentActions ?? [] }
    })

  const clearOnSchedule = (
    scenario: string,
    over: { readonly active?: boolean; readonly staged?: Readonly<Record<string, string>> } = {}
  ) =>
    Effect.gen(function* () {
      const world = yield* World
      const { storage, temporal, tables } = world
      const jobId = yield* insertProbeJob({ destination: { scenario } }, `{"streams":[]}`)
      if (over.active === false) yield* tables.setActive(jobId, false)
      const temp = uniqueId(`sync-123-${jobId}`)
      fs.mkdirSync(path.join(storage, temp))
      const { staged = { "streams.json": `{"streams":["to clear"]}` } } = over
      for (const [name, text] of Object.entries(staged))
        fs.writeFileSync(path.join(storage, temp, name), text)
      const named = Object.keys(staged).at(-1)
      const id = yield* pausedSchedule(jobId, clearRequest(jobId, `${temp}/${named}`))
      const before = yield* describeSchedule(id)
      yield* temporal(["schedule", "trigger", "--schedule-id", id])
      const workflowId = yield* eventually("the schedule has started it", async () => {
        const { runs } = await Effect.runPromise(
          describeSchedule(id).pipe(Effect.provideService(World, world))
        )
        return runs[0]?.startWorkflowResult.workflowId
      })
      return { jobId, id, before, run: yield* ended(workflowId), directory: directoryOf(workflowId) }
    })

  it("clear-destination on a schedule: cleared, state saved, the schedule syncs again and is not paused", () =>
    Effect.gen(function* () {
      const { storage } = yield* World
      const { jobId, id, before, run, directory } = yield* clearOnSchedule("ok")
      const { response } = yield* outputOf(run)
      assert.strictEqual(response, `${directory}/state.json`)
      assert.include(yield* stateOf(jobId), "9007199254740993")
      assert.include(fs.readFileSync(path.join(storage, directory, "streams.json"), "utf8"), "to clear")
      assert.isFalse(fs.existsSync(path.join(storage, directory, "destination.json")))
      const after = yield* describeSchedule(id)
      assert.isNotTrue(after.paused)
      assert.deepStrictEqual(after.request, syncRequest(jobId))
      // When it runs is nobody's business here.
      assert.deepStrictEqual([after.spec, after.policies], [before.spec, before.policies])
      assert.strictEqual(after.notes, "Restored to sync after clear-destination")
      assert.include(eventNames(run), "SCHEDULED PostClearActivity")
      yield* nothingLeft
    }))

  it("of a job that its owner has paused meanwhile: restored, and still paused", () =>
    Effect.gen(function* () {
      const { jobId, id, run } = yield* clearOnSchedule("ok", { active: false })
      succeeded(run)
      const after = yield* describeSchedule(id)
      assert.isTrue(after.paused)
      assert.deepStrictEqual(after.request, syncRequest(jobId))
    }))

  it("a clear of a split catalog: both files are staged, and the schedule syncs again in the same form", () =>
    Effect.gen(function* () {
      const { storage } = yield* World
      const { jobId, id, run, directory } = yield* clearOnSchedule("ok", { staged: SPLIT })
      succeeded(run)
      for (const [name, text] of Object.entries(SPLIT))
        assert.strictEqual(fs.readFileSync(path.join(storage, directory, name), "utf8"), text)
      assert.isFalse(fs.existsSync(path.join(storage, directory, "streams.json")))
      assert.match(yield* logOf(directory), SPLIT_CALL)
      const after = yield* describeSchedule(id)
      assert.isNotTrue(after.paused)
      assert.deepStrictEqual(after.request, splitSyncRequest(jobId))
    }))

  it("a clear of half a split catalog clears nothing", () =>
    Effect.gen(function* () {
      const { "selected_streams.json": selected } = SPLIT
      const { run } = yield* clearOnSchedule("ok", {
        staged: { "streams.json": `{"streams":["old"]}`, "selected_streams.json": selected }
      })
      failedAs(run, "ResultMissing", "available_streams.json")
    }))

  it("a job that the UI has converted syncs its split catalog, whatever its schedule and its old column say", () =>
    Effect.gen(function* () {
      const { storage, tables } = yield* World
      const jobId = yield* jobOf("ok")
      yield* tables.addSplitCatalogs
      yield* tables.setCatalog(
        jobId,
        `{"streams":["old"]}`,
        `{"streams":[1]}`,
        `{"selected_streams":{"a":[]}}`
      )
      for (const request of [syncRequest(jobId), splitSyncRequest(jobId), jobId]) {
        const run = yield* runSync(jobId, request)
        succeeded(run)
        const text = (file: string) => fs.readFileSync(path.join(storage, run.directory, file), "utf8")
        assert.deepStrictEqual(JSON.parse(text("available_streams.json")), { streams: [1] })
        assert.deepStrictEqual(JSON.parse(text("selected_streams.json")), { selected_streams: { a: [] } })
        assert.isFalse(fs.existsSync(path.join(storage, run.directory, "streams.json")))
        const log = yield* logOf(run.directory)
        assert.match(log, SPLIT_CALL)
        assert.notInclude(log, "--catalog")
      }
      // Half of it is gone: the old column is no way out.
      yield* tables.setCatalog(jobId, `{"streams":["old"]}`, null, `{"selected_streams":{"a":[]}}`)
      failedAs(yield* runSync(jobId), "IncompleteJob", "available_streams_config")
      // Back to the older form, which a schedule of the newer one does not keep from it.
      yield* tables.setCatalog(jobId, `{"streams":["new"]}`, null, null)
      const run = yield* runSync(jobId, splitSyncRequest(jobId))
      succeeded(run)
      assert.match(yield* logOf(run.directory), /--catalog \S+\/streams\.json/)
      assert.notInclude(yield* logOf(run.directory), "--selected-streams")
    }))

  it("conversion, difference and discover of split catalogs leave the files that the UI reads", () =>
    Effect.gen(function* () {
      const { storage } = yield* World
      const converted = yield* direct(
        "convert-streams-probe-7",
        { "streams.json": `{"streams":["old"]}` },
        {
          command: "discover",
          args: ["discover", "--streams", `${M}/streams.json`, "--convert-streams"],
          output_file: "selected_streams.json"
        }
      )
      assert.property((yield* outputOf(converted)).value, "selected_streams")
      assert.isTrue(fs.existsSync(path.join(storage, converted.id, "available_streams.json")))
      const difference = yield* direct(
        "difference-123-7",
        {
          ...Object.fromEntries(Object.entries(SPLIT).map(([name, text]) => [`old_${name}`, text])),
          ...Object.fromEntries(Object.entries(SPLIT).map(([name, text]) => [`new_${name}`, text]))
        },
        {
          command: "discover",
          job_id: 7,
          args: [
            "discover",
            "--available-streams",
            `${M}/old_available_streams.json`,
            "--selected-streams",
            `${M}/old_selected_streams.json`,
            "--difference-available-streams",
            `${M}/new_available_streams.json`,
            "--difference-selected-streams",
            `${M}/new_selected_streams.json`
          ],
          output_file: "difference_streams.json"
        }
      )
      assert.property((yield* outputOf(difference)).value, "selected_streams")
      const discovered = yield* direct(
        "discover-catalog-probe",
        { "config.json": { scenario: "ok" }, ...SPLIT },
        {
          command: "discover",
          args: ["discover", "--config", `${M}/config.json`, ...SPLIT_ARGS],
          output_file: "streams.json"
        }
      )
      assert.property((yield* outputOf(discovered)).value, "streams")
      const { "available_streams.json": before } = SPLIT
      assert.notInclude(
        fs.readFileSync(path.join(storage, discovered.id, "available_streams.json"), "utf8"),
        before
      )
    }))

  it("a failed clear fails once, and says how it leaves the schedule", () =>
    Effect.gen(function* () {
      const { id, run } = yield* clearOnSchedule("exit-1")
      failedAs(run, "ConnectorFailed", "could not open the replication slot", `Schedule ${id} stays paused`)
      const after = yield* describeSchedule(id)
      assert.isTrue(after.paused)
      assert.strictEqual(after.request["command"], "clear-destination")
      assert.lengthOf(after.runs, 1)
      yield* nothingLeft
    }))

  it("a clear without its file of streams clears nothing", () =>
    Effect.gen(function* () {
      const jobId = yield* insertProbeJob({})
      const clear = (temp: string) => runSync(jobId, clearRequest(jobId, temp))
      failedAs(yield* clear("nowhere/streams.json"), "ResultMissing", "nowhere/streams.json")
      failedAs(yield* clear(""), "InvalidRequest", "temp_path")
    }))

  it(
    "malformed requests fail at once and for good, each naming its field",
    () =>
      Effect.gen(function* () {
        const { storage } = yield* World
        const before = fs.readdirSync(storage)
        const check = (over: Readonly<Record<string, unknown>>) => {
          const id = uniqueId("test-connection-probe")
          return execute(
            "ExecuteWorkflow",
            id,
            request({ command: "check", workflow_id: id, args: ["check"], ...over })
          )
        }
        const sync = (over: unknown) => execute("RunSyncWorkflow", uniqueId("sync-123-1"), over)
        const wrong: ReadonlyArray<readonly [field: string, run: Effect.Effect<Ended, unknown, World>]> = [
          ["command", check({ command: "drop" })],
          ["command", check({ command: 5 })],
          ["connector_type", check({ connector_type: "../evil" })],
          ["version", check({ version: "" })],
          ["args", check({ args: "check" })],
          ["args", check({ args: [5] })],
          ["configs", check({ configs: [{ name: "../../x", data: "" }] })],
          ["output_file", check({ output_file: "../other/streams.json" })],
          ["workflow_id", check({ workflow_id: "another-run" })],
          ["job_id", check({ job_id: -1 })],
          ["timeout", check({ timeout: -5 })],
          ["timeout", check({ timeout: "10m" })],
          ["command", sync({})],
          ["command", sync(syncRequest(1, { command: "discover" }))],
          ["job_id", sync(syncRequest(0))],
          ["job_id", sync(syncRequest(1, { job_id: "1" }))],
          ["temp_path", sync(clearRequest(1, "../../etc/passwd"))],
          ["JobID", sync("one")],
          ["job_id", sync(-1)]
        ]
        const runs = yield* Effect.forEach(
          wrong,
          ([field, run]) => Effect.map(run, (outcome) => ({ field, outcome })),
          {
            concurrency: 4
          }
        )
        for (const { field, outcome } of runs) {
          failedAs(outcome, "InvalidRequest", field)
          assert.isTrue(outcome.nonRetryable)
        }
        assert.deepStrictEqual(fs.readdirSync(storage), before)
      }),
    60_000
  )

  it("the first contract, in the same installation", () =>
    Effect.gen(function* () {
      const id = uniqueId("test-connection")
      const check = yield* execute("TestConnectionWorkflow", id, params(id, "probe", { scenario: "ok" }))
      succeeded(check)
      assert.deepStrictEqual(check.result, { status: "SUCCEEDED", message: "" })
    }))

  it("the probes of OLake's chart, which ask for no body (wget --spider)", () =>
    Effect.gen(function* () {
      const { healthPort } = yield* World
      for (const route of ["/ready", "/health"]) {
        const { status, body } = yield* Effect.promise(() => ask(healthPort, route, "HEAD"))
        assert.deepStrictEqual([status, body], [200, ""])
      }
    }))

  it("no secret was written to the log", () =>
    Effect.map(World, ({ worker, postgres }) => {
      for (const secret of [SECRET_KEY, postgres.password]) assert.notInclude(worker.output(), secret)
    }))
}
