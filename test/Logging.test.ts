import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { execFileSync } from "node:child_process"
import * as path from "node:path"
import * as Logging from "../src/Logging.ts"
import { mask } from "../src/Masking.ts"
import { testConfig, testConfigLayer } from "./support/TestConfig.ts"

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

  const circular: Record<string, unknown> = { id: 1 }
  circular.self = circular
  const wide = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, {}]))
  for (const child of Object.values(wide)) Object.assign(child, wide)

  const strange: ReadonlyArray<readonly [string, unknown]> = [
    ["a ring", circular],
    ["a dense graph", wide],
    ["a toJSON that throws", { toJSON: () => assert.fail("no") }],
    [
      "a getter that throws",
      Object.defineProperty({}, "x", { enumerable: true, get: () => assert.fail("no") })
    ],
    ["a bigint", 12n],
    ["a symbol", Symbol("s")],
    ["a function", () => 1],
    ["nothing", undefined],
    ["a bare object", Object.create(null)],
    ["a Map", new Map([["a", 1n]])],
    ["an invalid date", new Date(Number.NaN)]
  ]
  for (const [what, value] of strange) {
    for (const format of ["json", "console"] as const) {
      it.effect(`${what} neither fails the program nor the ${format} line`, () =>
        Effect.gen(function* () {
          const lines = yield* linesOf(
            Effect.logInfo("said", value).pipe(Effect.annotateLogs({ value })),
            format
          )
          assert.lengthOf(lines, 1)
          assert.include(lines[0], "said")
          assert.isBelow(lines[0]?.length ?? 0, 200_000)
          if (format === "json") assert.strictEqual(JSON.parse(lines[0] ?? "").level, "info")
        })
      )
    }
  }

  it.effect("a ring is shown up to where it closes", () =>
    Effect.gen(function* () {
      const line = yield* only(Effect.logInfo("x").pipe(Effect.annotateLogs({ ring: circular })))
      assert.deepStrictEqual(line.ring, { id: 1, self: "<circular>" })
    })
  )

  it.effect("a field cannot pass for the line's own level, time or message", () =>
    Effect.gen(function* () {
      const line = yield* only(Effect.logInfo("real", { level: "fatal", message: "fake" }))
      assert.deepStrictEqual(
        [line.level, line.message, line.field_level, line.field_message],
        ["info", "real", "fatal", "fake"]
      )
    })
  )

  it.effect("an error without prose is told by its name and fields", () =>
    Effect.gen(function* () {
      class PodGone extends Data.TaggedError("PodGone")<{ pod: string; cause?: unknown }> {}
      const ring = new PodGone({ pod: "p", cause: undefined })
      Object.assign(ring, { cause: ring })
      for (const problem of [ring, Cause.fail(ring)]) {
        assert.strictEqual((yield* only(Effect.logError("failed", problem))).error, `PodGone {"pod":"p"}`)
      }
    })
  )

  it.effect("a long error is cut, and its stack is kept for debug", () =>
    Effect.gen(function* () {
      const line = yield* only(Effect.logError("failed", new Error("x".repeat(100_000))))
      assert.lengthOf(String(line.error), 4000)
      const at = (level: "info" | "debug") => {
        const lines: Array<string> = []
        const logger = Logging.make(testConfig({ logging: { level } }), (text) => lines.push(text), false)
        return Effect.as(
          Effect.provide(Effect.logError("failed", new Error("bad")), Logger.layer([logger])),
          lines
        )
      }
      assert.include((yield* at("debug"))[0], "Logging.test.ts")
      assert.notInclude((yield* at("info"))[0], "Logging.test.ts")
    })
  )
})

describe("secrets", () => {
  it.effect("never show, in whatever form they slipped in", () =>
    Effect.gen(function* () {
      for (const format of ["json", "console"] as const) {
        const lines = yield* linesOf(
          Effect.logError(
            `could not log in with pass"word-marker`,
            JSON.stringify({ password: `pass"word-marker` }),
            `postgres://u:${encodeURIComponent(`pass"word-marker`)}@db`,
            Buffer.from("key-marker").toString("base64"),
            Redacted.make("key-marker"),
            new Error("key key-marker refused")
          ).pipe(Effect.annotateLogs({ args: ["--encryption-key", "key-marker"], "key-marker": 1 })),
          format
        )
        assert.notInclude(lines.join(), "marker")
        assert.notInclude(lines.join(), "a2V5LW1hcmtlcg")
        assert.include(lines.join(), "<redacted>")
      }
    })
  )

  it.effect("are not shown in part where an error is cut", () =>
    Effect.gen(function* () {
      const line = yield* only(Effect.logError("x", new Error(`${"y".repeat(3995)}key-marker`)))
      assert.notInclude(String(line.error), "key-m")
    })
  )

  it("short ones are left alone", () => {
    assert.strictEqual(mask(["abc12"])("abc12 in a word"), "abc12 in a word")
    assert.strictEqual(mask(["$&$&$&"])("is $&$&$&!"), "is <redacted>!")
  })

  it.effect.prop(
    "whatever a secret is, the line stays JSON with its keys, and the secret is in no text",
    [Schema.String.check(Schema.isMinLength(6)), Schema.Record(Schema.String, Schema.Json)],
    ([secret, fields]) => stays(secret, fields)
  )

  for (const secret of ["123456", "message", `":"info`, `","time`, "\\\\\\\\\\\\"]) {
    it.effect(`the line stays JSON where the secret is ${secret}`, () => stays(secret, { n: 1234567 }))
  }

  const stays = (secret: string, fields: Readonly<Record<string, unknown>>) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const settings = testConfig({ database: { password: Redacted.make(secret) } })
      const logger = Logging.make(settings, (text) => lines.push(text), false)
      yield* Effect.provide(Effect.logInfo("M", { ...fields, said: secret }), Logger.layer([logger]))
      const line = JSON.parse(lines[0] ?? "") as Record<string, unknown>
      assert.strictEqual(line.level, "info")
      assert.strictEqual(line.message, "M")
      assert.isString(line.time)
      assert.strictEqual(line.said, "<redacted>")
    })
})

describe("where lines go", () => {
  it.effect("a reader that hangs costs lines, not memory, and the next line tells how many", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      let stuck = true
      const logger = Logging.make(testConfig(), (line) => (stuck ? false : lines.push(line) > 0), false)
      const say = (text: string) => Effect.provide(Effect.logInfo(text), Logger.layer([logger]))
      yield* say("one")
      yield* say("two")
      stuck = false
      yield* say("three")
      yield* say("four")
      const [three, four] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
      assert.strictEqual(three?.linesLost, 2)
      assert.isUndefined(four?.linesLost)
    })
  )

  it("takes no line while much is queued", () => {
    const written: Array<string> = []
    const stream = { writableLength: 0, write: (text: string | Uint8Array) => written.push(String(text)) > 0 }
    const write = Logging.toStream(stream)
    assert.isTrue(write("a"))
    stream.writableLength = 1e9
    assert.isFalse(write("b"))
    assert.deepStrictEqual(written, ["a\n"])
  })

  it("goes on where stdout was closed", () => {
    const program = `
      import * as Effect from "effect/Effect"
      import * as Layer from "effect/Layer"
      import { WorkerConfig } from "./src/Config.ts"
      import * as Logging from "./src/Logging.ts"
      const say = Effect.andThen(Effect.logInfo("x".repeat(1000)), Effect.sleep("1 millis"))
      await Effect.runPromise(Effect.provide(Effect.repeat(say, { times: 100 }),
        Logging.layer.pipe(Layer.provide(WorkerConfig.layer()))))
      process.stderr.write("went on")
    `
    const output = execFileSync(
      "sh",
      ["-c", `exec 3>&1; "$0" --input-type=module -e "$1" 2>&3 | true`, process.execPath, program],
      {
        cwd: path.resolve(import.meta.dirname, ".."),
        encoding: "utf8"
      }
    )
    assert.include(output, "went on")
  })

  it.effect("says nothing below the level", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logging.make(testConfig(), (line) => lines.push(line), false)
      yield* Effect.logInfo("hidden").pipe(
        Effect.andThen(Effect.logError("shown")),
        Effect.provide(Logger.layer([logger])),
        Effect.provide(Logging.layer.pipe(Layer.provide(testConfigLayer({ logging: { level: "error" } }))))
      )
      assert.lengthOf(lines, 1)
      assert.include(lines[0], "shown")
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
