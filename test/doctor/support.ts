/** `olake-worker doctor --json` as a process, and what of its findings is not as it should be. */
import * as Effect from "effect/Effect"
import type { Env } from "../../dev/world/WorkerEnv.ts"
import type { Report } from "../../src/doctor/Report.ts"
import { startWorker, type StartOptions } from "../../dev/world/Worker.ts"

export interface Examined extends Report {
  readonly exitCode: number | null
  /** All that it has printed. */
  readonly output: string
  /** `check: status` of all that is neither ok nor skipped. */
  readonly bad: ReadonlyArray<string>
}

export const examine = (env: Env, args: ReadonlyArray<string> = [], how: Omit<StartOptions, "args"> = {}) =>
  Effect.scoped(
    Effect.gen(function* () {
      const doctor = yield* startWorker(env, {
        ...how,
        args: ["doctor", "--json", ...args]
      })
      const exitCode = yield* doctor.exited
      const output = doctor.output()
      const report = JSON.parse(output) as Report
      const bad = report.findings
        .filter(({ status }) => status === "problem" || status === "warning")
        .map(({ check, status }) => `${check}: ${status}`)
      return { ...report, exitCode, output, bad } satisfies Examined
    })
  )
