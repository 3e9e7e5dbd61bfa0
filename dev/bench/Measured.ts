/** A world in a cluster and its worker, as `npm start` runs it; what a watcher, the kernel and its metrics say of them. */
import * as Effect from "effect/Effect"
import { readFile } from "node:fs/promises"
import { get } from "node:http"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { setTimeout as sleep } from "node:timers/promises"
import { type StartOptions, startWorker, type WorkerProcess } from "../world/Worker.ts"
import type { Env } from "../world/WorkerEnv.ts"
import { type ClusterWorld, crowdedWorld } from "../world/World.ts"
import { type PodWatcher, watchPods } from "./PodTimes.ts"

export interface Worker extends WorkerProcess {
  /** Milliseconds from the start to the first answer of any kind, and to the first 200 of /ready. */
  readonly started: { readonly listening: number; readonly ready: number }
  readonly usage: () => Promise<Usage>
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
const READY_LIMIT_MS = 30_000
const TICK_MS = 10
const REQUESTS = /^olake_worker_kubernetes_requests_total\{(.*)\} (\d+)/
const MAIN = "dist/main.js"

/** The `start` script of package.json, so that the bench measures what is shipped. */
const startCommand = async (root: string) => {
  const { scripts } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    scripts: { start: string }
  }
  const words = scripts.start.split(/\s+/)
  const [program, main] = [words.indexOf("node"), words.indexOf(MAIN)]
  if (program < 0 || main < program)
    throw new Error(`package.json: the start script runs no node ${MAIN}: ${scripts.start}`)
  const assignments = words.slice(0, program).filter((word) => word.includes("="))
  return {
    nodeArgs: words.slice(program + 1, main),
    env: Object.fromEntries(assignments.map((word) => word.split("=", 2) as [string, string]))
  }
}

/** Over a connection of its own, which costs less than `fetch` takes to be there. */
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

/** When it first answers, and when it is ready; looked for so often that milliseconds can be told apart. */
const timesOf = async (worker: WorkerProcess, port: number, begin: number) => {
  let listening: number | undefined
  while (performance.now() - begin < READY_LIMIT_MS) {
    const answer = await ask(port, "/ready", 250).catch(() => undefined)
    if (answer !== undefined) listening ??= performance.now() - begin
    if (answer?.status === 200) {
      const ready = performance.now() - begin
      return { listening: listening ?? ready, ready }
    }
    await sleep(POLL_MS)
  }
  throw new Error(`the worker is not ready: ${worker.output().slice(-2000)}`)
}

export const startMeasured = (env: Env, { root = ".", logFile }: Pick<StartOptions, "root" | "logFile">) =>
  Effect.gen(function* () {
    const command = yield* Effect.promise(() => startCommand(root))
    const { nodeArgs } = command
    const begin = performance.now()
    const worker = yield* startWorker({ ...command.env, ...env }, { root, logFile, nodeArgs })
    const port = Number(env["HEALTH_PORT"])
    return {
      ...worker,
      started: yield* Effect.promise(() => timesOf(worker, port, begin)),
      usage: () => usageOf(worker.pid),
      requests: () => requestsOf(port)
    } satisfies Worker
  })

export interface World extends ClusterWorld {
  readonly pods: PodWatcher
  /** When the job's row was last written, in milliseconds since the epoch. */
  readonly savedAt: (jobId: number) => Promise<number>
  /** Starts the worker and waits until it is ready; killed with the scope. */
  readonly startWorker: ReturnType<typeof startMeasured>
}

/** @param options the package whose dist/ is measured, and where its worker's output goes */
export const measuredWorld = (options: Pick<StartOptions, "root" | "logFile">) =>
  Effect.gen(function* () {
    const world = yield* crowdedWorld("olake-bench", "v1")
    const savedAt = async (jobId: number) => {
      const query = world.sql<{ readonly at: string }>`
        SELECT (extract(epoch FROM updated_at) * 1000)::text AS at FROM "olake-dev-job" WHERE id = ${jobId}`
      const [row] = await Effect.runPromise(query)
      return Number(row?.at ?? 0)
    }
    return {
      ...world,
      pods: yield* watchPods(world),
      savedAt,
      startWorker: startMeasured(world.env, options)
    } satisfies World
  })
