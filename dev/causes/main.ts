/** `npm run causes`: ends with 0 where each cause was given its own class, every time. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { clusterServers } from "../world/World.ts"
import { isRight, type Row, tryCauses } from "./causes.ts"

const HELP = `npm run causes -- [options]
  --runs N           syncs of each cause (20)
  --worker-log FILE  the worker's output`

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "20" },
    "worker-log": { type: "string" },
    help: { type: "boolean", short: "h", default: false }
  }
})

let isGood = false

const report = (rows: ReadonlyArray<Row>): void => {
  isGood = rows.every(isRight)
  for (const row of rows) {
    const given = [...row.given].map(([name, count]) => `${name} ${count}`).join(", ")
    console.log(`${row.cause.padEnd(15)} ${given}${isRight(row) ? "" : `   expected ${row.expected}`}`)
  }
}

const runs = Number(options.runs)
if (!Number.isSafeInteger(runs) || runs < 1) throw new Error("--runs: a whole number above zero")

const workerLog = options["worker-log"]
const program = Effect.scoped(
  tryCauses({
    runs,
    ...(workerLog === undefined ? {} : { workerLog: resolve(workerLog) })
  })
).pipe(
  Effect.tap((rows) => Effect.sync(() => report(rows))),
  Effect.provide(clusterServers)
)

if (options.help) console.log(HELP)
else {
  NodeRuntime.runMain(program, {
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) && isGood ? 0 : 1)
  })
}
