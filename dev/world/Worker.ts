/** The built worker as a process: what users run. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { spawn } from "node:child_process"
import { createWriteStream, existsSync } from "node:fs"
import * as path from "node:path"
import type { Env } from "./WorkerEnv.ts"

const ROOT = path.resolve(import.meta.dirname, "../..")

export interface WorkerProcess {
  readonly pid: number
  /** Everything it has written so far. */
  readonly output: () => string
  readonly signal: (name: NodeJS.Signals) => Effect.Effect<void>
  /** Its exit code; null where a signal ended it. */
  readonly exited: Effect.Effect<number | null>
}

export interface StartOptions {
  readonly args?: ReadonlyArray<string>
  /** Whose process it is, where that is not our own. */
  readonly uid?: number
  /** What starts it: a program and its arguments, before the worker's own. */
  readonly launcher?: ReadonlyArray<string>
  /** What node is told, before the program. */
  readonly nodeArgs?: ReadonlyArray<string>
  /** The package whose dist/ it is; this one, where nothing is said. */
  readonly root?: string | undefined
  /** A file that gets its output too, behind what is there. */
  readonly logFile?: string | undefined
}

/** Started with this environment and nothing else; killed with the scope. */
export const startWorker = (env: Env, options: StartOptions = {}) =>
  Effect.acquireRelease(
    Effect.sync((): WorkerProcess => {
      const { args = [], uid, launcher = [], nodeArgs = [], root = ROOT, logFile } = options
      const main = path.join(root, "dist/main.js")
      if (!existsSync(main)) throw new Error(`${main} is missing: npm run build`)
      const command = [...launcher, process.execPath, ...nodeArgs, main, ...args]
      const [program = process.execPath, ...programArgs] = command
      const child = spawn(program, programArgs, {
        env: { PATH: process.env["PATH"], ...env },
        ...(uid === undefined ? {} : { uid, gid: uid }),
        stdio: ["ignore", "pipe", "pipe"]
      })
      const log = logFile === undefined ? undefined : createWriteStream(logFile, { flags: "a" })
      let output = ""
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          output += text
          log?.write(text)
        })
      }
      const closed = new Promise<number | null>((resolve) =>
        child.once("close", (code) => {
          if (log === undefined) resolve(code)
          else log.end(() => resolve(code))
        })
      )
      return {
        pid: child.pid ?? 0,
        output: () => output,
        signal: (name) => Effect.sync(() => child.kill(name)),
        exited: Effect.promise(() => closed)
      }
    }),
    (worker) =>
      worker.signal("SIGKILL").pipe(
        Effect.andThen(worker.exited),
        Effect.tap(() =>
          process.env["SHOW_WORKER_LOG"] === undefined
            ? Effect.void
            : Effect.sync(() => console.log(worker.output()))
        )
      )
  )

export interface Answer {
  readonly status: number
  readonly body: string
}

export const ask = (port: number, route: string, method = "GET"): Promise<Answer> =>
  fetch(`http://127.0.0.1:${port}${route}`, { method, signal: AbortSignal.timeout(5_000) }).then(
    async (response) => ({
      status: response.status,
      body: await response.text()
    })
  )

/** Waits until the worker of that port is ready. */
export const untilReady = (port: number) =>
  Effect.tryPromise(() => ask(port, "/health/ready")).pipe(
    Effect.filterOrFail(
      ({ status }) => status === 200,
      ({ body }) => new Error(body)
    ),
    Effect.retry(Schedule.spaced("100 millis")),
    Effect.timeoutOrElse({
      duration: "1 minute",
      orElse: () => Effect.fail(new Error("the worker is not ready after a minute"))
    }),
    Effect.asVoid
  )

/** A worker that is ready; fails with its last lines where it ends instead. */
export const startReadyWorker = (env: Env, options: StartOptions = {}) =>
  Effect.gen(function* () {
    const worker = yield* startWorker(env, options)
    const ended = Effect.flatMap(worker.exited, (code) => Effect.fail(new Error(`it ended with ${code}`)))
    yield* untilReady(Number(env["HEALTH_PORT"])).pipe(
      Effect.raceFirst(ended),
      Effect.mapError(({ message }) => new Error(`${message}:\n${worker.output().slice(-2000)}`))
    )
    return worker
  })
