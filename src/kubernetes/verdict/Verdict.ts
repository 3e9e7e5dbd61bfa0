/** The verdict on a Pod, and how one is made. Pure. */
import * as Duration from "effect/Duration"
import type { ExitMarker } from "../../olake/ExitMarker.ts"
import type { FailureClass } from "../../olake/Failures.ts"
import { PodFailure } from "./PodFailure.ts"
import type { ContainerView, PodView } from "../pod/PodView.ts"

export type Stage = "queued" | "pulling" | "starting" | "running" | "finishing" | "stopping" | "node-lost"

/** If the same row holds for `after` milliseconds, the failure applies. */
export interface Patience {
  readonly after: number
  readonly failure: PodFailure
}

export type Verdict =
  | {
      readonly _tag: "Pending"
      readonly row: number
      readonly stage: Stage
      readonly message: string
      readonly giveUp?: Patience
    }
  | { readonly _tag: "Succeeded"; readonly row: number }
  | { readonly _tag: "Failed"; readonly row: number; readonly failure: PodFailure }

const minutes = (count: number): number => Duration.toMillis(Duration.minutes(count))
const seconds = (count: number): number => count * 1000

/** How long each kind of waiting may last, in milliseconds. */
export const defaultTimers = {
  start: minutes(10),
  unschedulableShort: minutes(5),
  unschedulableLong: minutes(60),
  imagePassing: minutes(15),
  imageFinal: seconds(60),
  imageUnknownShort: seconds(60),
  imageUnknownLong: minutes(5),
  imageImpossible: seconds(10),
  badConfig: seconds(60),
  createPassing: minutes(5),
  killed: seconds(10),
  nodeLost: minutes(30),
  disrupted: minutes(30)
}
export type Timers = typeof defaultTimers

export interface PodStatusOptions {
  /** Somebody waits for a short one; a long one has time. */
  readonly kind: "short" | "long"
  /** We asked it to go. */
  readonly stopRequested: boolean
  /** How the connector ended, where a shell around it has noted that. */
  readonly marker?: ExitMarker | undefined
  readonly timers: Timers
}

export const failure = (
  view: PodView,
  kind: FailureClass,
  container?: ContainerView,
  clusterMessage?: string
): PodFailure => {
  const message = clusterMessage ?? container?.message ?? view.message ?? view.disruption?.message
  const reason = container?.reason ?? view.reason ?? view.disruption?.reason
  return new PodFailure({
    class: kind,
    pod: view.name,
    ...(container === undefined ? {} : { container: container.name }),
    ...(container?.exitCode === undefined ? {} : { exitCode: container.exitCode }),
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined || message.trim() === "" ? {} : { clusterMessage: message }),
    ...(view.node === undefined ? {} : { node: view.node }),
    ...(view.memoryLimit === undefined ? {} : { memoryLimit: view.memoryLimit }),
    ...(view.image === undefined ? {} : { image: view.image })
  })
}

export const failed = (row: number, problem: PodFailure): Verdict => ({
  _tag: "Failed",
  row,
  failure: problem
})
export const pending = (row: number, stage: Stage, message: string, giveUp?: Patience): Verdict => ({
  _tag: "Pending",
  row,
  stage,
  message,
  ...(giveUp === undefined ? {} : { giveUp })
})
