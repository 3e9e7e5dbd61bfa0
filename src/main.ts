#!/usr/bin/env node
/** The process: its commands, live layers, exit codes. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { WorkerConfig } from "./Config.ts"
import { doctor, ProblemsFound } from "./doctor/Command.ts"
import * as Http from "./Http.ts"
import * as Logging from "./Logging.ts"
import { jobs } from "./status/JobsCommand.ts"
import * as Telemetry from "./telemetry/Telemetry.ts"
import { version } from "./Version.ts"
import { Worker } from "./Worker.ts"

const logWarnings = Effect.gen(function* () {
  const { warnings } = yield* WorkerConfig
  for (const warning of warnings) yield* Effect.logWarning(warning)
})

const work = Effect.gen(function* () {
  yield* logWarnings
  const worker = yield* Worker
  return yield* worker.run
}).pipe(
  Effect.provide(
    Http.layer.pipe(
      Layer.provideMerge(Worker.layerFromEnv),
      Layer.provideMerge(Telemetry.layer),
      Layer.provideMerge(Logging.layer.pipe(Layer.provideMerge(WorkerConfig.layerFromEnv)))
    )
  )
)

/** Without a command, the worker. */
const commands = Command.make("olake-worker", {}, () => work).pipe(
  Command.withDescription("Runs OLake's jobs as Kubernetes Pods; without a command, until it is stopped"),
  Command.withSubcommands([doctor, jobs])
)

const cliLayer = Layer.merge(
  NodeServices.layer,
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] })
)

Command.run(commands, { version }).pipe(
  Effect.provide(cliLayer),
  Effect.tapCause((cause) => (isSaid(cause) ? Effect.void : Effect.sync(() => reportFatal(cause)))),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) ? 0 : codeOf(exit.cause))
  })
)

/** A stop that was asked for is a success; a command line that is not understood is 2. */
function codeOf(cause: Cause.Cause<unknown>): number {
  if (Cause.hasInterruptsOnly(cause)) return 0
  return CliError.isCliError(Cause.squash(cause)) ? 2 : 1
}

function isSaid(cause: Cause.Cause<unknown>): boolean {
  const error = Cause.squash(cause)
  return Cause.hasInterruptsOnly(cause) || CliError.isCliError(error) || error instanceof ProblemsFound
}

/** A start that failed has perhaps no logger yet: one plain text for whoever reads the container's output. */
function reportFatal(cause: Cause.Cause<unknown>): void {
  const error = Cause.squash(cause)
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
}
