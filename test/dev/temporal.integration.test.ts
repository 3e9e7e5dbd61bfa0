import { assert, it } from "@effect/vitest"
import { Connection } from "@temporalio/client"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as path from "node:path"
import { temporalCli, temporalTestServer } from "../../dev/temporal/TemporalCli.ts"
import { TemporalServer } from "../../dev/temporal/TemporalServer.ts"
import { temporaryFolder } from "../support/Conditions.ts"

const START = ["workflow", "start", "--type", "None", "--task-queue", "none", "--workflow-id"]

it.live(
  "keeps its workflows over a restart and is gone with its scope",
  () =>
    Effect.gen(function* () {
      const dir = yield* temporaryFolder
      const address = yield* Effect.gen(function* () {
        const server = yield* TemporalServer
        const started = yield* server.temporal([...START, "kept"])
        assert.strictEqual(started.exitCode, 0, started.stderr)
        yield* server.stop
        assert.notStrictEqual((yield* server.temporal(["workflow", "list"])).exitCode, 0)
        yield* server.start
        const described = yield* server.temporal([
          "workflow",
          "describe",
          "--workflow-id",
          "kept",
          "-o",
          "json"
        ])
        assert.strictEqual(JSON.parse(described.stdout).workflowExecutionInfo.type.name, "None")
        const connection = yield* Effect.promise(() => Connection.connect({ address: server.address }))
        yield* Effect.promise(() => connection.close())
        return server.address
      }).pipe(Effect.provide(TemporalServer.layer({ dbFilename: path.join(dir, "temporal.db") })))
      const refused = yield* Effect.exit(
        Effect.tryPromise(() => Connection.connect({ address, connectTimeout: "1s" }))
      )
      assert.isTrue(Exit.isFailure(refused))
    }),
  120_000
)

it.live(
  "finds Temporal's programs",
  () =>
    Effect.gen(function* () {
      assert.isTrue(path.isAbsolute(yield* temporalCli))
      assert.isTrue(path.isAbsolute(yield* temporalTestServer))
    }),
  120_000
)

const withVariable = (name: string, value: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = process.env[name]
      process.env[name] = value
      return before
    }),
    (before) =>
      Effect.sync(() => {
        if (before === undefined) delete process.env[name]
        else process.env[name] = before
      })
  )

it.live("says what is wrong when a variable names no program", () =>
  Effect.gen(function* () {
    yield* withVariable("TEMPORAL_CLI_PATH", "/no/such")
    const error = yield* Effect.flip(temporalCli)
    assert.strictEqual(
      error.message,
      "TEMPORAL_CLI_PATH names /no/such, which is not a program that can be run"
    )
  })
)
