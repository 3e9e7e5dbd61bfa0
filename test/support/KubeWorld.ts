/** The worker's own Kubernetes layers against LocalPods, with calls that tests let fail. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { LocalPods, type LocalPodsOptions, type Scenario } from "../../dev/local-pods/LocalPods.ts"
import { KubernetesClient } from "../../src/kubernetes/api/KubernetesClient.ts"
import { PodRunner } from "../../src/kubernetes/PodRunner.ts"
import { PodWatch } from "../../src/kubernetes/PodWatch.ts"
import { SchedulingRules } from "../../src/kubernetes/SchedulingRules.ts"
import { WorkerConfig } from "../../src/Config.ts"

export type Call = Parameters<NonNullable<LocalPodsOptions["intercept"]>>[0]
export type Refusal = ReturnType<NonNullable<LocalPodsOptions["intercept"]>>

/** What the server does instead of its own; a test changes it while it runs. */
export interface Faults {
  refuse: (call: Call) => Refusal
}

type Overrides = Parameters<typeof WorkerConfig.layer>[0]

type RulesLayer = Layer.Layer<SchedulingRules, never, KubernetesClient | WorkerConfig>

/** Pods may run anywhere. */
export const noRules = { mapping: new Map(), profiles: new Map(), keepUnmappedAway: false }
export const noRulesLayer: RulesLayer = Layer.succeed(SchedulingRules, { current: Effect.succeed(noRules) })

/** LocalPods with Pods that do as `scenario` says, the client, the watch and the runner. */
export const kubeWorld = (
  faults: Faults,
  scenario: LocalPodsOptions["scenario"],
  over: Overrides = {},
  rules = noRulesLayer
) => {
  const server = LocalPods.layer({
    intercept: (call) => faults.refuse(call),
    scenario: scenario ?? (() => running)
  })
  const config = Layer.unwrap(
    Effect.map(LocalPods, ({ kubeconfigPath }) =>
      WorkerConfig.layer({ ...over, kubernetes: { kubeconfig: kubeconfigPath } })
    )
  )
  return PodRunner.layer.pipe(
    Layer.provide(rules),
    Layer.provideMerge(PodWatch.layer),
    Layer.provideMerge(KubernetesClient.layer),
    Layer.provideMerge(config),
    Layer.provideMerge(server)
  )
}

export const noFaults = (): Faults => ({ refuse: () => undefined })

const status = (phase: string, state: object) => ({
  phase,
  containerStatuses: [{ name: "connector", restartCount: 0, state }]
})
const startedAt = "2026-11-23T17:00:00Z"

/** Starts and stays; on a delete it goes. */
export const running: Scenario = {
  steps: [{ status: status("Running", { running: { startedAt } }) }]
}

const terminated = (exitCode: number) => ({
  terminated: { exitCode, reason: exitCode === 0 ? "Completed" : "Error", startedAt, finishedAt: startedAt }
})

/** Runs and ends by itself. */
export const ending = (exitCode: number, afterMillis = 0): Scenario => ({
  steps: [
    { status: status("Running", { running: { startedAt } }) },
    { afterMillis, status: status("Running", terminated(exitCode)) },
    { afterMillis: 20, status: status(exitCode === 0 ? "Succeeded" : "Failed", terminated(exitCode)) }
  ]
})
