#!/usr/bin/env node
/** The process: live layers, the worker's main program, exit codes. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { WorkerConfig } from "./Config.ts"
import * as Health from "./Health.ts"
import * as Logging from "./Logging.ts"
import { Worker } from "./Worker.ts"

const logWarnings = Effect.gen(function* () {
  const { warnings } = yield* WorkerConfig
  for (const warning of warnings) yield* Effect.logWarning(warning)
})

const main = Effect.gen(function* () {
  yield* logWarnings
  const worker = yield* Worker
  return yield* worker.run
})

main.pipe(
  Effect.provide(
    Health.layer.pipe(
      Layer.provideMerge(Worker.layerFromEnv),
      Layer.provideMerge(Logging.layer.pipe(Layer.provideMerge(WorkerConfig.layerFromEnv)))
    )
  ),
  Effect.tapCause((cause) =>
    Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.sync(() => reportFatal(cause))
  ),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    // A stop that was asked for is a success.
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
  })
)

/** A start that failed has perhaps no logger yet: one plain text for whoever reads the container's output. */
function reportFatal(cause: Cause.Cause<unknown>): void {
  const error = Cause.squash(cause)
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
}
