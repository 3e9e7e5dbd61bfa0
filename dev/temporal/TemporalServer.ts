/** A real Temporal server on a free port of loopback: the CLI's `server start-dev`, ended with its scope. */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import { execFile } from "node:child_process"
import { freePort } from "../world/FreePort.ts"
import { type Server, serve } from "../world/ServerProcess.ts"
import { temporalCli, type TemporalCliError } from "./TemporalCli.ts"

export class TemporalServerError extends Data.TaggedError("TemporalServerError")<{
  readonly message: string
}> {}

export interface TemporalServerOptions {
  /** A SQLite file, so that workflows survive `stop` and `start`; without it they live in memory. */
  readonly dbFilename?: string
}

export interface CliResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export class TemporalServer extends Context.Service<
  TemporalServer,
  {
    /** `127.0.0.1:<port>`, the same over restarts. */
    readonly address: string
    /** Runs Temporal's CLI against this server. */
    readonly temporal: (args: ReadonlyArray<string>) => Effect.Effect<CliResult>
    readonly start: Effect.Effect<void, TemporalServerError>
    readonly stop: Effect.Effect<void>
  }
>()("olake-worker/dev/TemporalServer") {
  static readonly layer = (
    options: TemporalServerOptions = {}
  ): Layer.Layer<TemporalServer, TemporalServerError | TemporalCliError> =>
    Layer.effect(TemporalServer, make(options))
}

const HOST = "127.0.0.1"
const START_TIMEOUT = "30 seconds"
const ATTRIBUTE = "OperationType"

/** A failing command is a result, not an error: tests ask for both. */
const runCli =
  (cli: string, address: string) =>
  (args: ReadonlyArray<string>): Effect.Effect<CliResult> =>
    Effect.callback((resume, signal) => {
      const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], TEMPORAL_ADDRESS: address }
      execFile(cli, args, { env, signal, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
        const exitCode = error === null ? 0 : typeof error.code === "number" ? error.code : 1
        resume(Effect.succeed({ exitCode, stdout, stderr }))
      })
    })

const make = Effect.fnUntraced(function* (options: TemporalServerOptions) {
  const cli = yield* temporalCli
  const port = yield* Effect.promise(freePort)
  const address = `${HOST}:${port}`
  const temporal = runCli(cli, address)
  const args = ["server", "start-dev", "--headless", "--ip", HOST, "--port", String(port)]
  const attribute = ["--search-attribute", `${ATTRIBUTE}=Keyword`]
  const db = options.dbFilename === undefined ? [] : ["--db-filename", options.dbFilename]
  let server: Server | undefined

  /** A query by the attribute answers once server, namespace and attribute are all there. */
  const answers = temporal(["workflow", "count", "--query", `${ATTRIBUTE} = 'none'`]).pipe(
    Effect.flatMap((result) => {
      if (result.exitCode === 0) return Effect.void
      const ended = server === undefined || server.hasExited()
      const detail = ended ? (server?.output() ?? "") : result.stderr
      return Effect.fail({
        ended,
        error: new TemporalServerError({ message: `Temporal does not answer: ${detail}` })
      })
    }),
    Effect.retry({ schedule: Schedule.spaced("100 millis"), while: (failure) => !failure.ended }),
    Effect.mapError((failure) => failure.error),
    Effect.timeoutOrElse({
      duration: START_TIMEOUT,
      orElse: () =>
        Effect.fail(new TemporalServerError({ message: `Temporal is not up after ${START_TIMEOUT}` }))
    })
  )
  const launch = Effect.tryPromise({
    try: async () => {
      server ??= await serve(cli, [...args, ...attribute, ...db], {
        // Without a file nothing is lost that would not be lost anyway.
        stopSignal: options.dbFilename === undefined ? "SIGKILL" : "SIGTERM"
      })
    },
    catch: (error) => new TemporalServerError({ message: String(error) })
  }).pipe(Effect.uninterruptible)
  const end = Effect.promise(async () => {
    await server?.stop()
    server = undefined
  }).pipe(Effect.uninterruptible)

  const lock = yield* Semaphore.make(1)
  yield* Effect.addFinalizer(() => end)
  const start = Effect.andThen(launch, answers)
  yield* start
  return TemporalServer.of({
    address,
    temporal,
    start: lock.withPermits(1)(start),
    stop: lock.withPermits(1)(end)
  })
})
