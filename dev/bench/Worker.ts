/** The built worker as `npm start` runs it, and what the kernel and its own metrics say of it. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { createWriteStream } from "node:fs"
import { readFile } from "node:fs/promises"
import { get } from "node:http"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { setTimeout as sleep } from "node:timers/promises"

export type Env = Readonly<Record<string, string>>

export interface Worker {
  readonly pid: number
  /** Milliseconds from the start to the first answer of any kind, and to the first 200 of /ready. */
  readonly started: { readonly listening: number; readonly ready: number }
  readonly usage: () => Promise<Usage>
  /** SIGTERM; resolves when it has ended, with its exit code: null where a signal ended it. */
  readonly stop: () => Promise<number | null>
  /** SIGKILL, and until it has ended. */
  readonly kill: () => Promise<void>
  /** Requests to the API server by its own count, by verb and code. */
  readonly requests: () => Promise<ReadonlyMap<string, number>>
}

export interface Usage {
  readonly at: number
  /** MiB. */
  readonly rss: number
  readonly anonymous: number
  readonly files: number
  readonly peak: number
  /** Milliseconds of all cores. */
  readonly cpu: number
}

const POLL_MS = 5
const STOP_LIMIT_MS = 10_000
const TICK_MS = 10
const REQUESTS = /^olake_worker_kubernetes_requests_total\{(.*)\} (\d+)/

/** The `start` script of package.json, so that the bench measures what is shipped. */
const startCommand = async (root: string) => {
  const { scripts } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    scripts: { start: string }
  }
  const words = scripts.start.split(/\s+/)
  const program = words.indexOf("node")
  if (program < 0) throw new Error(`package.json: the start script runs no node: ${scripts.start}`)
  const assignments = words.slice(0, program).filter((word) => word.includes("="))
  return {
    args: words.slice(program + 1),
    env: Object.fromEntries(assignments.map((word) => word.split("=", 2) as [string, string]))
  }
}

const ask = (port: number, path: string, timeout: number): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, agent: false, signal: AbortSignal.timeout(timeout) }
    get(options, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject)
    }).once("error", reject)
  })

const usageOf = async (pid: number): Promise<Usage> => {
  const [status, stat] = await Promise.all(
    ["status", "stat"].map((file) => readFile(`/proc/${pid}/${file}`, "utf8"))
  )
  const mebibytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status ?? "")?.[1] ?? 0) / 1024
  // After the name in brackets, which may hold spaces: state is field 3, utime 14, stime 15.
  const fields = (stat ?? "").slice((stat ?? "").lastIndexOf(")") + 2).split(" ")
  return {
    at: performance.now(),
    rss: mebibytes("VmRSS"),
    anonymous: mebibytes("RssAnon"),
    files: mebibytes("RssFile"),
    peak: mebibytes("VmHWM"),
    cpu: (Number(fields[11]) + Number(fields[12])) * TICK_MS
  }
}

/** Share of one core between two looks, in percent. */
export const cpuShare = (before: Usage, after: Usage): number =>
  (100 * (after.cpu - before.cpu)) / (after.at - before.at)

const requestsOf = async (port: number): Promise<ReadonlyMap<string, number>> => {
  const counts = new Map<string, number>()
  for (const line of (await ask(port, "/metrics", 5_000)).body.split("\n")) {
    const [, labels = "", count] = REQUESTS.exec(line) ?? []
    if (count === undefined) continue
    const label = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(labels)?.[1] ?? ""
    counts.set(`${label("verb")} ${label("code")}`, Number(count))
  }
  return counts
}

export const startWorker = (root: string, env: Env, logFile: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const command = await startCommand(root)
      const log = createWriteStream(logFile, { flags: "a" })
      const begin = performance.now()
      const child = spawn(process.execPath, command.args, {
        cwd: root,
        env: { PATH: process.env["PATH"], ...command.env, ...env },
        stdio: ["ignore", "pipe", "pipe"]
      })
      child.stdout.pipe(log, { end: false })
      child.stderr.pipe(log, { end: false })
      const exited = new Promise<number | null>((resolve) =>
        child.once("close", (code) => log.end(() => resolve(code)))
      )
      const stop = async () => {
        child.kill("SIGTERM")
        const timer = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS)
        const code = await exited
        clearTimeout(timer)
        return code
      }
      const kill = async () => {
        child.kill("SIGKILL")
        await exited
      }
      return { begin, child, stop, kill }
    }),
    ({ stop }) => Effect.promise(stop)
  ).pipe(
    Effect.flatMap(({ begin, child, stop, kill }) =>
      Effect.promise(async (): Promise<Worker> => {
        const port = Number(env["HEALTH_PORT"])
        const pid = child.pid ?? 0
        let listening: number | undefined
        while (true) {
          if (child.exitCode !== null || child.signalCode !== null || performance.now() - begin > 30_000)
            throw new Error(`the worker is not ready: ${(await readFile(logFile, "utf8")).slice(-2000)}`)
          const answer = await ask(port, "/ready", 250).catch(() => undefined)
          if (answer !== undefined) listening ??= performance.now() - begin
          if (answer?.status === 200) break
          await sleep(POLL_MS)
        }
        const ready = performance.now() - begin
        return {
          pid,
          started: { listening: listening ?? ready, ready },
          usage: () => usageOf(pid),
          stop,
          kill,
          requests: () => requestsOf(port)
        }
      })
    )
  )
