/** From the container's start to its Pod's last phase: exit, deletion with a grace period, or deadline. */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { makePause, type Node, report, type Stay } from "./Node.ts"
import { timestamp } from "./api/Objects.ts"
import { type PodSpec, specOf } from "./Pod.ts"
import { type Command, type Exit, type PodLog, run } from "./PodProcess.ts"
import * as PodStatus from "./PodStatus.ts"

const TERMINATION_MESSAGE_BYTES = 2048
const DEFAULT_GRACE_SECONDS = 30
const DEADLINE_POLL = 100

const terminated = (spec: PodSpec, exit: Exit, startedAt: string, log: PodLog): PodStatus.Terminated => {
  const finishedAt = timestamp()
  if (exit.startFailure !== undefined) {
    const message = `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ${exit.startFailure}: unknown`
    return { exitCode: 128, reason: "StartError", message, startedAt: "1970-01-01T00:00:00Z", finishedAt }
  }
  const fallsBack = spec.containers[0].terminationMessagePolicy === "FallbackToLogsOnError"
  const message = exit.code !== 0 && fallsBack ? log.tail(TERMINATION_MESSAGE_BYTES) : ""
  return {
    exitCode: exit.code,
    reason: exit.code === 0 ? "Completed" : "Error",
    startedAt,
    finishedAt,
    ...(message === "" ? {} : { message })
  }
}

export const execution = Effect.fnUntraced(function* (node: Node, stay: Stay, command: Command) {
  const { pod, log, deleted, started } = stay
  const process = yield* run(command, log)
  const startedAt = timestamp()
  const current = () => node.store.find("pods", pod.metadata.namespace, pod.metadata.name) ?? pod

  /** Done when the Pod has run longer than its spec of that moment allows; a patch may shorten it. */
  const deadline = Effect.gen(function* () {
    while (true) {
      const seconds = specOf(current()).activeDeadlineSeconds
      if (seconds !== undefined && Date.now() - started >= seconds * 1000) return
      yield* makePause(DEADLINE_POLL)
    }
  })
  const terminate = Effect.gen(function* () {
    const grace =
      current().metadata.deletionGracePeriodSeconds ??
      specOf(pod).terminationGracePeriodSeconds ??
      DEFAULT_GRACE_SECONDS
    yield* process.signal("SIGTERM")
    const exit = yield* process.exit.pipe(Effect.timeoutOption(Duration.seconds(grace)))
    if (Option.isNone(exit)) yield* process.signal("SIGKILL")
  })

  const quick = yield* process.exit.pipe(Effect.timeoutOption(Duration.millis(node.timing.observing)))
  const seen = Option.isNone(quick) ? "Running" : "Pending"
  if (seen === "Running") yield* report(node, stay, seen, { running: { startedAt } })
  const ending = yield* Effect.raceAllFirst([
    Effect.as(process.exit, "exited" as const),
    Effect.as(Deferred.await(deleted), "deleted" as const),
    Effect.as(deadline, "deadline" as const)
  ])
  if (ending !== "exited") yield* terminate
  const exit = yield* process.exit
  const state = { terminated: terminated(specOf(pod), exit, startedAt, log) }
  if (ending === "deadline") return yield* report(node, stay, "Failed", state, PodStatus.DEADLINE)
  if (ending === "exited") {
    yield* report(node, stay, seen, state)
    yield* makePause(node.timing.ending)
  }
  return yield* report(node, stay, state.terminated.exitCode === 0 ? "Succeeded" : "Failed", state)
})
