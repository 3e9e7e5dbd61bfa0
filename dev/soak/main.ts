/** `npm run soak`: ends with 0 where no writer was second, and no result and no checkpoint was lost. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { clusterServers } from "../world/World.ts"
import { soak, type SoakResult } from "./soak.ts"

const HELP = `npm run soak -- [options]
  --minutes N       how long new runs are begun (10)
  --syncs N         jobs that sync at a time (50)
  --workers N       workers, of which one is killed every 5 to 20 s (2)
  --freeze SECONDS  how long the API server is frozen at a time (5 to 12)
  --worker-log FILE the workers' output`

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    syncs: { type: "string", default: "50" },
    workers: { type: "string", default: "2" },
    freeze: { type: "string" },
    "worker-log": { type: "string" },
    help: { type: "boolean", short: "h", default: false }
  }
})

const numbered = (name: "freeze" | "minutes" | "syncs" | "workers"): number => {
  const count = Number(options[name])
  if (!(count > 0)) throw new Error(`--${name}: a number above zero`)
  return count
}

const BAD = ["secondWriters", "lostResults", "lostCheckpoints"] as const

let isGood = false

const report = (result: SoakResult): void => {
  const { runs, connectors, kills, deletes, freezes } = result
  isGood = BAD.every((what) => result[what].length === 0)
  console.log(
    `${runs} runs in ${connectors} Pods; ${kills} workers killed, ${deletes} Pods deleted, API server frozen ${freezes} times`
  )
  for (const what of BAD) {
    console.log(`${what}: ${result[what].length}`)
    for (const line of result[what].slice(0, 20)) console.log(`  ${line}`)
  }
}

const workerLog = options["worker-log"]
const program = Effect.scoped(
  soak({
    seconds: numbered("minutes") * 60,
    syncs: numbered("syncs"),
    workers: numbered("workers"),
    freeze: options.freeze === undefined ? undefined : numbered("freeze"),
    ...(workerLog === undefined ? {} : { workerLog: resolve(workerLog) })
  })
).pipe(
  Effect.tap((result) => Effect.sync(() => report(result))),
  Effect.provide(clusterServers)
)

if (options.help) console.log(HELP)
else {
  NodeRuntime.runMain(program, {
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) && isGood ? 0 : 1)
  })
}
