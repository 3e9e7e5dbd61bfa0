import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Logging from "../src/Logging.ts"
import { testConfig } from "./support/TestConfig.ts"

const secrets = {
  database: { password: Redacted.make(`pass"word-marker`) },
  jobs: { secretKey: Redacted.make("key-marker") }
}

const linesOf = (program: Effect.Effect<void>, format: "json" | "console" = "json") => {
  const lines: Array<string> = []
  const settings = testConfig({ ...secrets, logging: { format } })
  const logger = Logging.make(settings, (line) => lines.push(line), false)
  return Effect.as(Effect.provide(program, Logger.layer([logger])), lines)
}

const only = (program: Effect.Effect<void>) =>
  Effect.map(linesOf(program), (lines) => JSON.parse(lines[0] ?? "{}") as Record<string, unknown>)

describe("JSON lines", () => {
  it.effect("have level, time, message and the annotations", () =>
    Effect.gen(function* () {
      const line = yield* only(
        Effect.logWarning("Pod created").pipe(Effect.annotateLogs({ jobId: 7, pod: "olake-job-7" }))
      )
      assert.strictEqual(line.level, "warn")
      assert.strictEqual(line.message, "Pod created")
      assert.strictEqual(line.jobId, 7)
      assert.match(String(line.time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    })
  )

  it.effect("put an error beside the message, without its stack", () =>
    Effect.gen(function* () {
      const line = yield* only(Effect.logError("failed", new Error("disk full")))
      assert.strictEqual(line.message, "failed")
      assert.strictEqual(line.error, "disk full")
    })
  )

  it.effect.prop(
    "are one JSON object each, whatever is logged",
    [Schema.String, Schema.Record(Schema.String, Schema.Json)],
    ([message, fields]) =>
      Effect.gen(function* () {
        const lines = yield* linesOf(Effect.logInfo(message, fields).pipe(Effect.annotateLogs(fields)))
        assert.lengthOf(lines, 1)
        assert.notInclude(lines[0], "\n")
        const line = JSON.parse(lines[0] ?? "") as Record<string, unknown>
        assert.strictEqual(line.level, "info")
        assert.strictEqual(line.message, message)
        assert.isString(line.time)
      })
  )

  it.effect("never show a configured secret", () =>
    Effect.gen(function* () {
      for (const format of ["json", "console"] as const) {
        const lines = yield* linesOf(
          Effect.logError(`could not log in with pass"word-marker`, new Error("key key-marker refused")).pipe(
            Effect.annotateLogs({ args: ["--encryption-key", "key-marker"] })
          ),
          format
        )
        assert.notInclude(lines.join(), "marker")
        assert.include(lines.join(), "<redacted>")
      }
    })
  )
})

describe("console", () => {
  it.effect("is readable", () =>
    Effect.gen(function* () {
      const lines = yield* linesOf(
        Effect.logInfo("Pod created").pipe(Effect.annotateLogs({ pod: "p" })),
        "console"
      )
      assert.match(lines[0] ?? "", /^[\d:.]{12} INFO  Pod created {2}pod=p$/)
    })
  )
})

describe("the Temporal SDK's log", () => {
  it.effect("goes through the same logger, without its task tokens", () =>
    Effect.gen(function* () {
      const line = yield* only(
        Logging.fromTemporal("WARN", "lost", { taskToken: "abc", workflowId: "w", error: new Error("gone") })
      )
      assert.deepStrictEqual(
        [line.level, line.message, line.workflowId, line.error],
        ["warn", "lost", "w", "gone"]
      )
      assert.isUndefined(line.taskToken)
    })
  )
})
