/** What telemetry gives to a connector, and its count of runs, on a real folder. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fs from "node:fs"
import * as path from "node:path"
import { tellEnd } from "../../../src/activity/telemetry/TellEnd.ts"
import * as Telemetry from "../../../src/activity/telemetry/Telemetry.ts"
import { runCount } from "../../../src/activity/telemetry/RunCount.ts"
import { Jobs } from "../../../src/database/Jobs.ts"
import { DatabaseError } from "../../../src/database/Query.ts"
import { SyncTelemetry } from "../../../src/notification/SyncTelemetry.ts"
import type { EndRequest } from "../../../src/olake/contract/Request.ts"
import type { JobFacts } from "../../../src/olake/telemetry/Payload.ts"
import { SharedStorage } from "../../../src/storage/SharedStorage.ts"
import { TemporalClient } from "../../../src/temporal/TemporalClient.ts"
import { temporaryFolder } from "../../support/Conditions.ts"
import { testConfigLayer } from "../../support/TestConfig.ts"

const FACTS: JobFacts = {
  name: "orders",
  frequency: "",
  createdAt: "",
  sourceName: "shop",
  sourceVersion: "v0.12.0",
  destinationName: "",
  destinationVersion: ""
}
const away = new DatabaseError({ operation: "x", reason: "x", detail: "x", code: "", isRetryable: true })
const job = { jobId: 7, projectId: "" }
const COUNTER = "telemetry/job-counters/7"

interface Given {
  readonly disabled?: boolean
  /** Runs that the schedule has started; undefined where Temporal does not tell. */
  readonly started?: number
  readonly facts?: JobFacts | undefined
  readonly facing?: Effect.Effect<JobFacts | undefined, DatabaseError>
}

type Needs = Jobs | SharedStorage | SyncTelemetry | TemporalClient

const inFolder = <A, E>(
  given: Given,
  program: (folder: string, sent: Array<unknown>) => Effect.Effect<A, E, Needs | TestNeeds>
) =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const sent: Array<unknown> = []
    fs.mkdirSync(path.join(folder, "telemetry"))
    fs.writeFileSync(path.join(folder, "telemetry", "user_id"), "user-1")
    const config = testConfigLayer({
      storage: { path: folder },
      callback: { telemetryDisabled: given.disabled ?? false }
    })
    const layer = Layer.mergeAll(
      SharedStorage.layer.pipe(Layer.provide([NodeFileSystem.layer, config])),
      config,
      Layer.mock(Jobs, { facts: () => given.facing ?? Effect.succeed(FACTS) }),
      Layer.mock(SyncTelemetry, {
        send: (event, { workflowId }, properties) =>
          Effect.sync(() => void sent.push([event, workflowId, properties]))
      }),
      Layer.mock(TemporalClient, {
        call: () =>
          given.started === undefined
            ? Effect.fail("away")
            : // SAFETY: the one answer that is asked for here, as far as it is read
              Effect.succeed({ info: { numActionsTaken: given.started } } as never)
      })
    )
    return yield* Effect.provide(program(folder, sent), layer)
  }).pipe(Effect.scoped)

type TestNeeds = Layer.Success<ReturnType<typeof testConfigLayer>>

const counter = (folder: string): string | undefined => {
  const file = path.join(folder, COUNTER)
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : undefined
}

const names = (files: ReadonlyArray<{ readonly name: string }>) => files.map(({ name }) => name)

describe("the number of a sync", () => {
  it.live("grows with each run, and stays the same for later attempts of one", () =>
    inFolder({ started: 1 }, (folder) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* runCount(job, true), 1)
        assert.strictEqual(yield* runCount(job, false), 1)
        assert.strictEqual(yield* runCount(job, true), 2)
        assert.strictEqual(counter(folder), `{"run_count":2}`)
      })
    )
  )

  it.live("is not known of jobs that ran before anybody counted", () =>
    inFolder({ started: 2 }, (folder) =>
      Effect.gen(function* () {
        for (const isNew of [true, true, false]) assert.strictEqual(yield* runCount(job, isNew), 0)
        assert.strictEqual(counter(folder), `{"run_count":0,"ineligible":true}`)
      })
    )
  )

  it.live("is decided later where Temporal does not tell what the schedule has started", () =>
    inFolder({}, (folder) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* runCount(job, true), 0)
        assert.isUndefined(counter(folder))
      })
    )
  )

  it.live("of a counter that is none begins anew, and a folder in its place fails no run", () =>
    inFolder({ started: 1 }, (folder) =>
      Effect.gen(function* () {
        fs.mkdirSync(path.join(folder, "telemetry", "job-counters"))
        fs.writeFileSync(path.join(folder, COUNTER), `{"run`)
        assert.strictEqual(yield* runCount(job, true), 1)
        fs.rmSync(path.join(folder, COUNTER))
        fs.mkdirSync(path.join(folder, COUNTER))
        assert.strictEqual(yield* runCount(job, true), 0)
      })
    )
  )
})

describe("the files of telemetry", () => {
  it.live("of a sync have its job's facts", () =>
    inFolder({ started: 1 }, () =>
      Effect.gen(function* () {
        const { files } = yield* Telemetry.ofSync(job, "v0.1.0", true)
        assert.deepStrictEqual(names(files), ["user_id.txt", "telemetry.json"])
        assert.deepStrictEqual(JSON.parse(files[1]?.content ?? ""), {
          schema_version: 1,
          service: "UI",
          distinct_id: "user-1",
          job_id: 7,
          job_name: "orders",
          environment: "kubernetes",
          sync_run_count: 1,
          source_name: "shop",
          source_version: "v0.12.0"
        })
      })
    )
  )

  it.live("are there without Postgres too", () =>
    inFolder({ facing: Effect.fail(away) }, () =>
      Effect.gen(function* () {
        const { files, facts } = yield* Telemetry.ofSync(job, "v0.1.0", true)
        assert.isUndefined(facts)
        assert.deepStrictEqual(names(files), ["user_id.txt", "telemetry.json"])
      })
    )
  )

  it.live("of other operations are those that OLake's UI has not sent", () =>
    inFolder({}, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(names(yield* Telemetry.files(0, "v0.1.0", [])), [
          "user_id.txt",
          "telemetry.json"
        ])
        assert.deepStrictEqual(names(yield* Telemetry.files(0, "v0.1.0", ["user_id.txt"])), [
          "telemetry.json"
        ])
        assert.deepStrictEqual(names(yield* Telemetry.files(0, "v0.1.0", ["telemetry.json"])), [
          "user_id.txt"
        ])
      })
    )
  )

  it.live("are none where telemetry is switched off, and nothing is counted", () =>
    inFolder({ disabled: true, started: 1 }, (folder) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* Telemetry.files(0, "v0.1.0", []), [])
        assert.deepStrictEqual((yield* Telemetry.ofSync(job, "v0.1.0", true)).files, [])
        assert.isUndefined(counter(folder))
      })
    )
  )
})

describe("the end of a sync", () => {
  const request: EndRequest = {
    operation: "sync",
    jobId: 7,
    connector: "",
    version: "v0.1.0",
    projectId: "123",
    timeout: 0,
    workflowId: "w-1",
    idField: "workflow_id",
    keepsLog: false,
    outcome: "failed",
    failureType: "OOM",
    began: true,
    activates: false,
    reports: true,
    catalog: "whole",
    answers: "path"
  }
  const known = {
    schema_version: 1,
    service: "UI",
    distinct_id: "user-1",
    job_id: 7,
    environment: "kubernetes"
  }

  it.live("is sent with the job's facts, and with what killed the connector", () =>
    inFolder({}, (_, sent) =>
      Effect.gen(function* () {
        yield* tellEnd(request, false)
        const properties = { ...known, job_name: "orders", source_name: "shop", source_version: "v0.12.0" }
        assert.deepStrictEqual(sent, [["failed", "w-1", { ...properties, failure_reason: "oom_killed" }]])
      })
    )
  )

  it.live("goes by the connector's version in the row, not by the one in the schedule", () =>
    inFolder({}, (_, sent) =>
      Effect.gen(function* () {
        yield* tellEnd({ ...request, outcome: "completed" }, true)
        assert.deepStrictEqual(sent, [])
      })
    )
  )

  it.live("without Postgres leaves the facts to the UI, but not what killed the connector", () =>
    inFolder({ facing: Effect.fail(away) }, (_, sent) =>
      Effect.gen(function* () {
        yield* tellEnd({ ...request, outcome: "completed" }, true)
        yield* tellEnd(request, false)
        assert.deepStrictEqual(sent, [
          ["completed", "w-1", undefined],
          ["failed", "w-1", { ...known, failure_reason: "oom_killed" }]
        ])
      })
    )
  )
})
