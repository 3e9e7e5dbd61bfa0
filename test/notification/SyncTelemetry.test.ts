import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import type { WorkerConfig } from "../../src/Config.ts"
import { SyncTelemetry } from "../../src/notification/SyncTelemetry.ts"
import { eventually } from "../support/Conditions.ts"
import { listener, listenerThat } from "../support/Listener.ts"
import { testConfigLayer } from "../support/TestConfig.ts"
import { withLines } from "./support.ts"

type Callback = Partial<WorkerConfig["Service"]["callback"]>

const run = { jobId: 7, workflowId: "sync-123-7" }

const send = (callback: Callback, event: "started" | "completed" | "failed" = "started", of = run) =>
  Effect.flatMap(SyncTelemetry, (telemetry) => telemetry.send(event, of)).pipe(
    Effect.provide(Layer.provide(SyncTelemetry.layer, testConfigLayer({ callback }))),
    withLines
  )

describe("telemetry of a sync", () => {
  it.live("is what the UI takes: one POST for each event", () =>
    Effect.gen(function* () {
      const { url, heard } = yield* listener
      for (const event of ["started", "completed", "failed"] as const)
        yield* send({ url: `${url}/internal/worker/callback` }, event)
      yield* send({ url: `${url}/with-slash/` })
      assert.deepStrictEqual(
        heard.map(({ method, path, body }) => [method, path, body]),
        [
          ...["started", "completed", "failed"].map((event) => [
            "POST",
            "/internal/worker/callback/sync-telemetry",
            `{"job_id":7,"workflow_id":"sync-123-7","environment":"kubernetes","event":"${event}"}`
          ]),
          [
            "POST",
            "/with-slash/sync-telemetry",
            `{"job_id":7,"workflow_id":"sync-123-7","environment":"kubernetes","event":"started"}`
          ]
        ]
      )
      assert.strictEqual(heard[0]?.headers["content-type"], "application/json")
    })
  )

  it.live("carries what the UI is to pass on", () =>
    Effect.gen(function* () {
      const { url, heard } = yield* listener
      yield* Effect.flatMap(SyncTelemetry, (telemetry) =>
        telemetry.send("cancelled", run, { job_name: "orders" })
      ).pipe(Effect.provide(Layer.provide(SyncTelemetry.layer, testConfigLayer({ callback: { url } }))))
      assert.strictEqual(
        heard[0]?.body,
        `{"job_id":7,"workflow_id":"sync-123-7","environment":"kubernetes","event":"cancelled","properties":{"job_name":"orders"}}`
      )
    })
  )

  it.live("is not sent where it is switched off, has no address, or has a run that the UI refuses", () =>
    Effect.gen(function* () {
      const { url, heard } = yield* listener
      yield* send({ url, telemetryDisabled: true })
      yield* send({})
      yield* send({ url }, "started", { jobId: 0, workflowId: "sync-123-7" })
      yield* send({ url }, "started", { jobId: 7, workflowId: "" })
      assert.deepStrictEqual(heard, [])
    })
  )

  it.live("a server in trouble is asked once, and no one is told but at debug", () =>
    Effect.gen(function* () {
      const { url, heard } = yield* listener
      for (const code of [302, 404, 503]) {
        const { lines } = yield* send({ url: `${url}/${code}` }, "failed")
        assert.match(lines.join(), new RegExp(`^DEBUG .*"failed".*${code}`))
      }
      assert.lengthOf(heard, 3)
    })
  )

  it.live("nobody there, no such host, or a URL that Node refuses is no failure", () =>
    Effect.gen(function* () {
      for (const url of ["http://127.0.0.1:1", "https://host.invalid/x", "http://%zz@127.0.0.1:1/"]) {
        const { lines } = yield* send({ url })
        assert.lengthOf(lines, 1)
        assert.match(lines.join(), /^DEBUG .*was not sent/)
      }
    })
  )

  it.effect("waits 5 s for an answer", () =>
    Effect.gen(function* () {
      const { url, heard, open } = yield* listenerThat(() => undefined)
      const fiber = yield* Effect.forkChild(send({ url }))
      yield* TestClock.withLive(eventually("it was asked", () => (heard.length === 1 ? true : undefined)))
      yield* TestClock.adjust("4900 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("200 millis")
      const { lines } = yield* Fiber.join(fiber)
      assert.match(lines.join(), /^DEBUG .*no answer in 5s/)
      yield* TestClock.withLive(
        eventually("the connection is closed", () => (open() === 0 ? true : undefined))
      )
      assert.lengthOf(heard, 1)
    })
  )
})
