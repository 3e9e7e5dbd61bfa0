/**
 * `npm run bench`: the built worker on a real cluster, measured. A benchmark, not a test: it ends with 0 whatever
 * the figures are, unless it cannot run or `--strict` is given and a median is over its limit.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { writeFile } from "node:fs/promises"
import { cpus } from "node:os"
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { clusterServers } from "../world/World.ts"
import { adoption, adoptionFigures } from "./Adoption.ts"
import { type Figure, isOver, table, toJson } from "./Figures.ts"
import { checkLatency, syncLatency } from "./Latency.ts"
import { idle, runningSyncs, starts } from "./Load.ts"
import { measuredWorld } from "./Measured.ts"
import { requestsPerJob } from "./Requests.ts"

const PARTS = ["adoption", "start", "idle", "check", "sync", "requests", "syncs"] as const

const HELP = `npm run bench -- [options]
  --checks N        checks and bare Pods to time (15)
  --syncs N         syncs to time (8)
  --starts N        starts to time (5)
  --running N       syncs that run at once (20)
  --adopted N       syncs that change their worker (200)
  --only a,b        of ${PARTS.join(", ")}
  --json FILE       all values, as JSON
  --worker-log FILE the worker's output
  --root DIR        another built package to measure; default: this one
  --strict          exit with 1 where a median is over its limit`

const { values: options } = parseArgs({
  options: {
    checks: { type: "string", default: "15" },
    syncs: { type: "string", default: "8" },
    starts: { type: "string", default: "5" },
    running: { type: "string", default: "20" },
    adopted: { type: "string", default: "200" },
    only: { type: "string", default: PARTS.join(",") },
    json: { type: "string" },
    "worker-log": { type: "string" },
    root: { type: "string", default: resolve(import.meta.dirname, "../..") },
    strict: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false }
  }
})

const wanted = new Set(options.only.split(","))
const numbered = (name: "checks" | "syncs" | "starts" | "running" | "adopted"): number => {
  const count = Number(options[name])
  if (!Number.isInteger(count) || count < 1) throw new Error(`--${name}: a whole number above zero`)
  return count
}

const figures: Array<Figure> = []
const notes: Array<string> = []

const part = <E, R>(name: (typeof PARTS)[number], measure: Effect.Effect<ReadonlyArray<Figure>, E, R>) =>
  Effect.gen(function* () {
    if (!wanted.has(name)) return
    console.error(`measuring: ${name}`)
    figures.push(...(yield* measure))
  })

const isWanted = (...names: ReadonlyArray<(typeof PARTS)[number]>): boolean =>
  names.some((name) => wanted.has(name))

const measureAll = Effect.gen(function* () {
  yield* part(
    "adoption",
    Effect.scoped(Effect.map(adoption(resolve(options.root), numbered("adopted")), adoptionFigures))
  )
  // The only part that needs no cluster.
  if (!isWanted(...PARTS.filter((name) => name !== "adoption"))) return
  const workerLog = options["worker-log"]
  const world = yield* measuredWorld({
    root: resolve(options.root),
    logFile: workerLog === undefined ? undefined : resolve(workerLog)
  })
  yield* part("start", starts(world, numbered("starts")))
  if (!isWanted(...PARTS.filter((name) => name !== "adoption" && name !== "start"))) return
  const worker = yield* world.startWorker
  const measured = (name: (typeof PARTS)[number], measure: () => Promise<ReadonlyArray<Figure>>) =>
    part(name, Effect.promise(measure))
  yield* measured("idle", () => idle(worker))
  yield* measured("check", () => checkLatency(world, numbered("checks")))
  yield* measured("sync", () => syncLatency(world, numbered("syncs")))
  yield* measured("requests", async () => {
    const requests = await requestsPerJob(world, worker, 5)
    notes.push(...requests.notes)
    return requests.figures
  })
  yield* measured("syncs", () => runningSyncs(world, worker, numbered("running")))
})

const report = Effect.promise(async () => {
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? "?"}, node ${process.version}`
  console.log(`${table(figures)}\n`)
  for (const note of notes) console.log(`- ${note}`)
  console.log(`- ${machine}; the Go worker's figures are of a machine of the same kind, not of this run`)
  if (options.json === undefined) return
  const all = { measuredAt: new Date().toISOString(), machine, figures: toJson(figures), notes }
  await writeFile(options.json, `${JSON.stringify(all, undefined, 2)}\n`)
})

const bench = Effect.scoped(measureAll).pipe(Effect.provide(clusterServers), Effect.andThen(report))

if (options.help) console.log(HELP)
else {
  NodeRuntime.runMain(bench, {
    teardown: (exit, onExit) =>
      onExit(Exit.isFailure(exit) || (options.strict && figures.some(isOver)) ? 1 : 0)
  })
}
