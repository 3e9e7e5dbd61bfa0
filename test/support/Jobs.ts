/** What a worker tells of its runs: asked over HTTP, and by `olake-worker jobs`. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { JobsDocument, type RunDocument } from "../../src/status/Document.ts"
import { eventually } from "./Conditions.ts"
import { ask } from "../../dev/world/Worker.ts"
import { World } from "./world/World.ts"

export const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

const decode = Schema.decodeUnknownSync(JobsDocument, { onExcessProperty: "error" })

export const jobsOf = (port: number): Promise<JobsDocument> =>
  ask(port, "/jobs").then(({ body }) => decode(JSON.parse(body)))

/** Waits until the worker tells of the run what is asked. */
export const runThat = (what: string, workflowId: string, is: (run: RunDocument) => boolean) =>
  Effect.flatMap(World, ({ healthPort }) =>
    eventually(what, async () => {
      const { runs } = await jobsOf(healthPort)
      return runs.find((run) => run.workflowId === workflowId && is(run))
    })
  )

export interface Printed {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The built program, as users run it, its output no terminal. */
export const olakeWorker = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Effect.Effect<Printed> =>
  Effect.callback((resume) => {
    execFile(
      process.execPath,
      [MAIN, ...args],
      { env: { PATH: process.env.PATH, ...env } },
      (error, stdout, stderr) =>
        resume(Effect.succeed({ code: error === null ? 0 : Number(error.code), stdout, stderr }))
    )
  })
