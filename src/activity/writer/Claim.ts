/**
 * Who may write for a job, starting from which state: the one place that decides it. A claim looks at what there is, takes
 * one step, and looks again, until the run has its answer. docs/claim.md has each situation with its test.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { WorkerConfig } from "../../Config.ts"
import { ownershipOf } from "../../kubernetes/pod/Ownership.ts"
import { nameOf, ownerOf } from "../../kubernetes/pod/PodIdentity.ts"
import type { PodView } from "../../kubernetes/pod/PodView.ts"
import type { PodExit } from "../../kubernetes/PodEnd.ts"
import { adopted, PodRunner } from "../../kubernetes/PodRunner.ts"
import { type PodRunnerError, stillTerminating } from "../../kubernetes/PodRunnerErrors.ts"
import { lacksSecret } from "../../kubernetes/PodSecrets.ts"
import { decide } from "../../kubernetes/verdict/decide.ts"
import { defaultTimers } from "../../kubernetes/verdict/Verdict.ts"
import type { ExitMarker } from "../../olake/ExitMarker.ts"
import { capped } from "../../Schedules.ts"
import { TemporalClient } from "../../temporal/TemporalClient.ts"
import type { ActivityError } from "../Activity.ts"
import { Cancelled, Superseded } from "./ClaimErrors.ts"
import { nextStep, type Other } from "./ClaimStep.ts"
import { release } from "./LeftState.ts"
import { prepare, type Start, type Writer, type WriterCommand } from "./Preparation.ts"
import { removeCredentialsIfPossible } from "../Credentials.ts"
import { exitMarker, markerIfReadable, readLeft } from "./RunDirectory.ts"

/** Steps before the attempt is given back to Temporal. */
const MOST_STEPS = 8

/** Temporal answers within seconds, or is away; then no Pod may be made. */
const whileAway = capped("500 millis", "5 seconds", { jittered: true, times: 30 })

/** What cannot be removed by then is left to the removal of left credentials. */
const WITHDRAWAL = "10 seconds"

/** What the claim knows of the Pods beside which it may not make one. */
const lookAtOthers = Effect.fnUntraced(function* (pods: ReadonlyArray<PodView>) {
  const temporal = yield* TemporalClient
  const { namespace } = (yield* WorkerConfig).temporal
  return yield* Effect.forEach(pods, (pod) =>
    Effect.gen(function* () {
      const { workflowId, runId = "" } = ownerOf(pod)
      const { state } =
        workflowId === undefined ? { state: "unknown" as const } : yield* temporal.lookAt(workflowId, runId)
      const own = { namespace, namespaceId: yield* temporal.namespaceId }
      return { pod, ownership: ownershipOf(pod, state, own) } satisfies Other
    })
  )
})

/** Whether Temporal still waits for this very attempt. */
const standingOf = ({ run, activityId, attempt }: Writer) =>
  Effect.flatMap(TemporalClient, ({ standing }) =>
    standing({ workflowId: run.workflowId, runId: run.runId, activityId, attempt })
  )

/** Asked right before a create. */
const requireStanding = Effect.fnUntraced(function* (writer: Writer, pod: string) {
  const standing = yield* standingOf(writer).pipe(Effect.retry(whileAway))
  if (standing === "current") return
  return yield* standing === "cancelled" ? new Cancelled({ pod }) : new Superseded({ pod })
})

/**
 * Nothing stays of an attempt that was preparing the directory when its run was over: the run's end had removed what it knew
 * of. Where the run goes on, its own end removes what this attempt has prepared.
 */
const withdraw = (writer: Writer) =>
  Effect.gen(function* () {
    if ((yield* standingOf(writer)) !== "over") return
    const { note } = yield* readLeft(writer.directory)
    // Another run of the same workflow may work there by now.
    if (note?.runId === writer.run.runId) yield* removeCredentialsIfPossible(writer.directory)
  }).pipe(Effect.timeout(WITHDRAWAL), Effect.ignore)

/** The exit of a connector whose Pod nobody has seen end. */
const exitOf = (name: string, marker: ExitMarker): PodExit => {
  const last: PodView = {
    name,
    uid: marker.uid,
    version: 0,
    labels: {},
    annotations: {},
    phase: "Unknown",
    containers: [],
    claims: []
  }
  const options = { kind: "long", stopRequested: false, marker, timers: defaultTimers } as const
  const verdict = decide({ gone: true, last }, options)
  return {
    view: last,
    failure: verdict._tag === "Failed" ? verdict.failure : undefined,
    log: Effect.succeed("")
  }
}

/**
 * Waits for the run's Pod, which it makes where there is none, and leaves it for `EndSync.ts` to end: a worker that stops
 * leaves it to the next attempt.
 * @param commandOf the connector's command line and files; asked for only where a Pod is made, or lacks its Secret
 */
export const claim = Effect.fn("claim")(function* <E extends ActivityError, R>(
  writer: Writer,
  commandOf: (start: Start) => Effect.Effect<WriterCommand, E, R>
) {
  const pods = yield* PodRunner
  const { jobs, kubernetes } = yield* WorkerConfig
  const name = nameOf(writer, jobs.pvcName)
  const marker = yield* markerIfReadable(writer.directory)
  const removed = new Set<string>()
  let problem: PodRunnerError | undefined

  /** The Pod's end; undefined where another Pod is needed, without a shell. */
  const attend = Effect.fnUntraced(function* (pod: PodView) {
    const exit = yield* pods.awaitEnd(writer, pod, marker)
    if (!(yield* pods.needsNoShell(writer, exit))) return exit
    yield* pods.remove(exit.view)
    yield* pods.awaitGone(exit.view)
    return undefined
  })

  for (let count = 1; count <= MOST_STEPS; count++) {
    const { own, inTheWay } = yield* pods.find(writer, writer.attempt === 1)
    const step = nextStep({
      writer,
      namespace: kubernetes.namespace,
      own,
      others: own === undefined ? yield* lookAtOthers(inTheWay) : [],
      // Of a Pod that runs on it is read when that has ended.
      marker:
        own?.deletionTimestamp === undefined && own !== undefined
          ? undefined
          : yield* exitMarker(writer.directory),
      removed,
      now: yield* Clock.currentTimeMillis
    })
    switch (step.do) {
      case "wait": {
        yield* adopted
        if (lacksSecret(step.pod))
          yield* pods.giveSecret(yield* prepare(writer, commandOf, { writes: false }), step.pod)
        const exit = yield* attend(step.pod)
        if (exit !== undefined) return exit
        break
      }
      case "done":
        yield* Effect.logInfo("the connector had ended while no worker watched; its own note says how")
        return exitOf(name, step.marker)
      case "awaitGone":
        yield* pods.awaitGone(step.pod)
        break
      case "release":
        yield* release(step.pod, step.isOver)
        removed.add(step.pod.uid)
        problem = stillTerminating(step.pod)
        break
      case "refuse":
        return yield* step.error
      case "create": {
        const job = yield* prepare(writer, commandOf, { writes: true }).pipe(
          Effect.tap(() => requireStanding(writer, name)),
          Effect.onError(() => withdraw(writer))
        )
        const made = yield* pods.create(job)
        if (!("refusal" in made)) {
          const exit = yield* attend(made)
          if (exit !== undefined) return exit
          break
        }
        problem = made.refusal
        yield* Effect.sleep(Duration.times(made.pause, count))
      }
    }
  }
  return yield* problem ?? Effect.die(new Error("the claim came to no end"))
})
