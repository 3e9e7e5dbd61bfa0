/** The built worker as a child process: what users run. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Env } from "../../dev/world/WorkerEnv.ts"
import { eventually } from "./Conditions.ts"

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

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
  /** Whose process it is, where that is not the test's own. */
  readonly uid?: number
  /** What starts it: a program and its arguments, before the worker's own. */
  readonly launcher?: ReadonlyArray<string>
}

/** Started with this environment and nothing else; killed with the scope. */
export const startWorker = (env: Env, { args = [], uid, launcher = [] }: StartOptions = {}) =>
  Effect.acquireRelease(
    Effect.sync((): WorkerProcess => {
      if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build`)
      const [program = process.execPath, ...programArgs] = [...launcher, process.execPath, MAIN, ...args]
      const child = spawn(program, programArgs, {
        env: { PATH: process.env.PATH, ...env },
        ...(uid === undefined ? {} : { uid, gid: uid }),
        stdio: ["ignore", "pipe", "pipe"]
      })
      let output = ""
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (text: string) => (output += text))
      const closed = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)))
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
          process.env.SHOW_WORKER_LOG === undefined
            ? Effect.void
            : Effect.sync(() => console.log(worker.output()))
        )
      )
  )

export interface Answer {
  readonly status: number
  readonly body: string
}

export const ask = (port: number, path: string, method = "GET"): Promise<Answer> =>
  fetch(`http://127.0.0.1:${port}${path}`, { method, signal: AbortSignal.timeout(5_000) }).then(
    async (response) => ({
      status: response.status,
      body: await response.text()
    })
  )

export const untilReady = (port: number) =>
  eventually("the worker is ready", () =>
    ask(port, "/health/ready").then(
      ({ status }) => (status === 200 ? true : undefined),
      () => undefined
    )
  )
