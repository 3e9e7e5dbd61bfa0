/** One process group of this host; every process of it is gone when its scope ends. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import * as os from "node:os"

export interface Command {
  readonly argv: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
}

export interface Exit {
  readonly code: number
  /** Why there never was a process. */
  readonly startFailure?: string
}

export interface PodProcess {
  readonly exit: Effect.Effect<Exit>
  readonly signal: (name: NodeJS.Signals) => Effect.Effect<void>
}

const LOG_LIMIT = 1024 * 1024

/** The newest megabyte of what a container printed. */
export class PodLog {
  #text = Buffer.alloc(0)
  append(chunk: Uint8Array): void {
    this.#text = Buffer.concat([this.#text, chunk]).subarray(-LOG_LIMIT)
  }
  get bytes(): Buffer {
    return this.#text
  }
  tail(bytes: number): string {
    return this.#text.subarray(-bytes).toString("utf8")
  }
}

const toExitCode = (code: number | null, signal: NodeJS.Signals | null): number =>
  code ?? 128 + (signal === null ? 9 : os.constants.signals[signal])

const killGroup = (child: ChildProcess): void => {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, "SIGKILL")
  } catch {
    // The whole group is gone already.
  }
}

export const run = Effect.fnUntraced(function* (command: Command, log: PodLog) {
  const exited = yield* Deferred.make<Exit>()
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const [program = "", ...args] = command.argv
      const started = spawn(program, args, {
        env: command.env,
        cwd: command.cwd,
        detached: true,
        stdio: ["ignore", "pipe", "pipe"]
      })
      const killAtExit = () => killGroup(started)
      process.once("exit", killAtExit)
      started.stdout.on("data", (chunk: Buffer) => log.append(chunk))
      started.stderr.on("data", (chunk: Buffer) => log.append(chunk))
      started.once("error", (error) =>
        Deferred.doneUnsafe(exited, Effect.succeed({ code: 128, startFailure: error.message }))
      )
      // What the container leaves running ends with its first process, as in a PID namespace.
      started.once("exit", () => killGroup(started))
      started.once("close", (code, signal) => {
        process.removeListener("exit", killAtExit)
        Deferred.doneUnsafe(exited, Effect.succeed({ code: toExitCode(code, signal) }))
      })
      return started
    }),
    (started) => Effect.sync(() => killGroup(started)).pipe(Effect.andThen(Deferred.await(exited)))
  )
  const made: PodProcess = {
    exit: Deferred.await(exited),
    signal: (name) =>
      Effect.sync(() => {
        child.kill(name)
      })
  }
  return made
})
