/** All checks of an installation, each part with the worker's own layers, none needing another part. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { WorkerConfig } from "../Config.ts"
import { ConfigProblems } from "../config/Load.ts"
import * as Database from "../database/Database.ts"
import { Decryption } from "../database/Decryption.ts"
import { KubernetesClient } from "../kubernetes/api/KubernetesClient.ts"
import { maskOf } from "../Masking.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"
import { TemporalClient } from "../temporal/TemporalClient.ts"
import { TemporalRuntime } from "../temporal/TemporalRuntime.ts"
import { type Finding, ok, part, problem, warning } from "./Check.ts"
import { databaseChecks } from "./checks/DatabaseChecks.ts"
import { kubernetesChecks } from "./checks/KubernetesChecks.ts"
import { ownerCheck } from "./checks/OwnerCheck.ts"
import { probeCheck } from "./checks/ProbeCheck.ts"
import type { Image } from "./checks/SampleJob.ts"
import { storageChecks } from "./checks/StorageChecks.ts"
import { temporalChecks } from "./checks/TemporalChecks.ts"

export interface Options {
  /** Of the connector that a Pod is tried with. */
  readonly image: Image
  /** Whether such a Pod is run. */
  readonly probe: boolean
}

const CONFIGURATION = "configuration"

/** @param line `VARIABLE: what is wrong with it`, perhaps with its other name */
const misconfigured = (line: string): Finding => {
  const [variable = ""] = line.split(/ or |:/, 1)
  return {
    check: CONFIGURATION,
    ...problem(
      line,
      `kubectl -n NAMESPACE set env deployment/olake-workers ${variable}=VALUE   (what it means: README, Configuration)`
    )
  }
}

const configured = (warnings: ReadonlyArray<string>): ReadonlyArray<Finding> =>
  warnings.length === 0
    ? [{ check: CONFIGURATION, ...ok("every variable is valid") }]
    : warnings.map((line) => ({
        check: CONFIGURATION,
        ...warning(line, "Correct or remove it in the worker's environment")
      }))

/** Whatever others have put into their messages. */
const withoutSecrets = (settings: WorkerConfig["Service"]) => {
  const masked = maskOf(settings)
  return ({ check, status, found, fix }: Finding): Finding => ({
    check,
    status,
    found: masked(found),
    ...(fix === undefined ? {} : { fix: masked(fix) })
  })
}

const examineParts = Effect.fnUntraced(function* ({ image, probe }: Options) {
  const settings = yield* WorkerConfig
  const storage = SharedStorage.layer.pipe(Layer.provide(NodeFileSystem.layer))
  const found = yield* Effect.all(
    [
      part(
        [...temporalChecks(settings.temporal), ownerCheck(settings)],
        TemporalClient.layer.pipe(Layer.provide(TemporalRuntime.layer))
      ),
      part(databaseChecks(settings), Layer.merge(Database.layer, Decryption.layer)),
      part(
        [...kubernetesChecks(settings, image), ...(probe ? [probeCheck(settings, image)] : [])],
        Layer.merge(KubernetesClient.layer, storage)
      ),
      part(storageChecks(settings), storage)
    ],
    { concurrency: "unbounded" }
  )
  return [...configured(settings.warnings), ...found.flat()].map(withoutSecrets(settings))
})

/** With the settings of the environment; where these are not valid, nothing else is looked at. */
export const examine = (options: Options): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const settings = yield* Effect.exit(Layer.build(WorkerConfig.layerFromEnv))
      if (Exit.isSuccess(settings)) return yield* Effect.provideContext(examineParts(options), settings.value)
      const error = settings.cause.reasons.find((reason) => reason._tag === "Fail")?.error
      return error instanceof ConfigProblems
        ? error.problems.map(misconfigured)
        : yield* Effect.failCause(settings.cause).pipe(Effect.orDie)
    })
  )
