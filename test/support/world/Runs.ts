/** Jobs, their runs, and what is asserted of how they ended; for every suite that has a World. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createCipheriv, createHash, randomBytes } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { eventually } from "../Conditions.ts"
import { type Ended, ended, start, uniqueId } from "./Workflows.ts"
import { SECRET_KEY, World } from "./World.ts"

/** Where a writer's files are, as OLake's UI finds them. */
export const directoryOf = (workflowId: string): string =>
  createHash("sha256").update(workflowId).digest("hex")

/** As OLake's UI encrypts a config: AES-256-GCM, the nonce first, the tag last. */
export const encrypted = (config: unknown): string => {
  const nonce = randomBytes(12)
  const cipher = createCipheriv("aes-256-gcm", createHash("sha256").update(SECRET_KEY).digest(), nonce)
  const parts = [nonce, cipher.update(JSON.stringify(config)), cipher.final(), cipher.getAuthTag()]
  return JSON.stringify(Buffer.concat(parts).toString("base64"))
}

/** A job of dev/cluster/images/probe.sh. */
export const insertProbeJob = (
  configs: { readonly source?: unknown; readonly destination?: unknown; readonly version?: string },
  state?: string,
  seal: (config: unknown) => string = (config) => JSON.stringify(config)
) =>
  Effect.gen(function* () {
    const { tables } = yield* World
    const { version = "v0.0.0-dev" } = configs
    const row = (config: unknown) => ({ version, config: seal(config ?? { scenario: "ok" }) })
    return yield* tables.insertJob({
      source: yield* tables.insertSource({ type: "probe", ...row(configs.source) }),
      destination: yield* tables.insertDestination({ type: "iceberg", ...row(configs.destination) }),
      streams: `{"streams":[]}`,
      ...(state === undefined ? {} : { state })
    })
  })

/** Waits until the `sleep` scenario of a run has written its first state. */
export const untilBegun = (folder: string) => {
  const state = path.join(folder, "state.json")
  return eventually("the connector has begun", () =>
    fs.existsSync(state) && fs.readFileSync(state, "utf8").includes("0/1") ? true : undefined
  )
}

/** A sync of the second contract. */
export const requested = (jobId: number, id: string): unknown => ({
  command: "sync",
  job_id: jobId,
  workflow_id: id
})

/** Asks for a sync of the second contract. */
export const requestSync = (jobId: number, id = uniqueId(`sync-123-${jobId}`)) =>
  Effect.as(start("RunSyncWorkflow", id, requested(jobId, id)), id)

/** A sync whose connector has begun, and runs for so many seconds; for ever without a number. */
export const runningSync = (seconds?: number, inputOf = requested) =>
  Effect.gen(function* () {
    const { storage } = yield* World
    const config = { scenario: "sleep", seconds }
    const jobId = yield* insertProbeJob({ source: config, destination: config })
    const id = uniqueId(`sync-123-${jobId}`)
    const folder = path.join(storage, directoryOf(id))
    yield* start("RunSyncWorkflow", id, inputOf(jobId, id))
    yield* untilBegun(folder)
    return { id, jobId, folder }
  })

/** How many connectors have worked in the folder: each makes a log of its own. */
export const startsIn = (folder: string): number =>
  fs.readdirSync(path.join(folder, "logs")).filter((name) => name.startsWith("sync_")).length

export const succeeded = (run: Ended) => assert.strictEqual(run.status, "COMPLETED", run.message)

export const failedAs = (run: Ended, type: string, ...texts: ReadonlyArray<string>) => {
  assert.strictEqual(run.status, "FAILED")
  assert.strictEqual(run.type, type, run.message)
  for (const text of texts) assert.include(run.message, text)
}

export const stateOf = (jobId: number) => Effect.flatMap(World, ({ tables }) => tables.jobState(jobId))

/** A sync that came to its own end: completed, by one connector. */
export const oneResult = ({ id, jobId, folder }: Effect.Success<ReturnType<typeof runningSync>>) =>
  Effect.gen(function* () {
    const run = yield* ended(id)
    succeeded(run)
    assert.include(yield* stateOf(jobId), "0/3")
    assert.strictEqual(startsIn(folder), 1)
    return run
  })

/** Name of a job's Pod; others' may be on their way out. */
export const podOf = (jobId: number) =>
  Effect.flatMap(World, ({ platform }) =>
    Effect.promise(async () => (await platform.pods()).find((name) => name.startsWith(`olake-job-${jobId}-`)))
  )

export const nothingLeft = Effect.flatMap(World, ({ platform }) =>
  eventually("Pods and their Secrets are gone", async () => {
    const pods = await platform.pods()
    const secrets = (await platform.secrets()).filter((name) => name.startsWith("olake-"))
    return pods.length === 0 && secrets.length === 0 ? true : undefined
  })
)
