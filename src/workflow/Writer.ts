/** The run of a writer, a sync or a clear-destination: waits for its Pod, then ends it and saves what it has reached. */
import { CancellationScope, CancelledFailure, patched, setCurrentDetails, sleep } from "@temporalio/workflow"
import type { Outcome } from "../olake/Outcome.ts"
import type { Persisted } from "../activity/writer/EndSync.ts"
import { began, combined, mayHaveNewPod, textOf, typeOf } from "./Failures.ts"
import { pauseBefore } from "./Policy.ts"

export interface Steps<A> {
  /** Waits for the writer's Pod. */
  readonly work: () => Promise<A>
  /** Asks the Pod to stop; whether its connector had ended well before. */
  readonly stop: () => Promise<{ readonly finished: boolean }>
  /** Ends the Pod and saves the state. */
  /** @param failure type of the failure that ended the work */
  readonly persist: (
    began: boolean,
    outcome: Outcome,
    failure: string | undefined
  ) => Promise<Persisted | null>
  /** Tells people of a failure; called before `persist`. */
  readonly alert: (failure: string) => Promise<unknown>
  /** Whether a request that is refused may be that of a run which another worker has begun. */
  readonly mayHaveBegun: boolean
}

const nonCancellable = <A>(run: () => Promise<A>): Promise<A> => CancellationScope.nonCancellable(run)

const settled = <A>(promise: Promise<A>): Promise<{ readonly value?: A; readonly error?: unknown }> =>
  promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error })
  )

/** Starts `stop` at the moment of a cancel, and gives it up when nobody waits for it any more. */
const stopOnCancel = (stop: Steps<unknown>["stop"]) => {
  const shield = new CancellationScope({ cancellable: false })
  const inner = new CancellationScope({ cancellable: true, parent: shield })
  let finished = false
  let isOver = false
  CancellationScope.current()
    .cancelRequested.catch(() => {
      // Runs that began without it, on the Go worker too, have no such command in their histories.
      if (isOver || !patched("stop-on-cancel")) return undefined
      return inner.run(stop).then((answer) => void (finished = answer.finished))
    })
    .catch(() => undefined)
  const giveUp = () => {
    isOver = true
    inner.cancel()
  }
  return { isFinished: () => finished, giveUp }
}

const ENDS = {
  completed: "The connector has ended well",
  failed: "The run fails",
  cancelled: "The run is cancelled"
} as const

/**
 * Current details make no command, so that histories replay. They change with the workflow's steps only: how far the
 * connector is, the heartbeats of the activity tell.
 */
const waiting = (failures: ReadonlyArray<string>): string =>
  [
    "The connector's Pod is waited for. How far it is: details of the pending activity's heartbeat.",
    ...(failures.length === 0 ? [] : [`Pods of this run before: ${failures.join(", ")}.`])
  ].join(" ")

/**
 * Waits for the run's Pod, and for another where the cluster took that one away: what it had reached is saved first, and
 * the next goes on from there. The budget stands in the run's history, apart from Temporal's attempts.
 */
const workThrough = async <A>(work: Steps<A>["work"], persist: Steps<A>["persist"]) => {
  const failures: Array<string> = []
  while (true) {
    setCurrentDetails(waiting(failures))
    const { value: worked, error: failure } = await settled(work())
    if (failure === undefined) return { worked, failure, failures }
    failures.push(typeOf(failure))
    const isOver = CancellationScope.current().consideredCancelled || !mayHaveNewPod(failures)
    if (isOver || !patched("new-pod")) return { worked, failure, failures }
    setCurrentDetails(
      `Its Pod is gone (${typeOf(failure)}): what it has reached is saved, and another follows.`
    )
    // A state that is none is not saved: then the next goes on from the last good one.
    const between = await nonCancellable(() => settled(persist(true, "interrupted", typeOf(failure))))
    if (between.value?.finished === true) return { worked, failure: undefined, failures }
    const { error: cancelled } = await settled(sleep(pauseBefore(failures.length)))
    if (cancelled !== undefined) return { worked, failure, failures }
  }
}

export const runWriter = async <A>({
  work,
  stop,
  persist,
  alert,
  mayHaveBegun
}: Steps<A>): Promise<{ readonly worked: A | undefined; readonly persisted: Persisted | null }> => {
  const stopping = stopOnCancel(stop)
  const { worked, failure, failures } = await workThrough(work, persist)
  stopping.giveUp()
  if (typeOf(failure) === "InvalidRequest" && !mayHaveBegun) throw failure
  // By scope, not by the error's class: between two attempts, or without a worker, a cancel looks otherwise.
  const cancelled = CancellationScope.current().consideredCancelled
  const isFailure = failure !== undefined && !cancelled
  // A connector that had ended well before the cancel reached it has done its work.
  const isDone = failure === undefined || (cancelled && stopping.isFinished())
  const outcome = isDone ? "completed" : cancelled ? "cancelled" : "failed"
  setCurrentDetails(`${ENDS[outcome]}: its Pod is ended, and what it has reached is saved.`)
  const persisted = await nonCancellable(async () => {
    // Both in one workflow task, the alert first, as the Go worker orders them.
    const alerting = isFailure ? alertedOf(alert(withPods(failure, failures))) : undefined
    const result = await settled(persist(began(failure, cancelled), outcome, typeOf(failure) || undefined))
    if (alerting?.isPending() === true && patched("await-alert")) await alerting.done
    // Not saved, and so a failure that nobody has heard of yet.
    if (result.error !== undefined && isDone && patched("alert-unsaved"))
      await settled(alert(textOf(result.error)))
    return result
  })
  const finished = isDone || persisted.value?.finished === true
  if (cancelled && !finished) throw new CancelledFailure(cancelledText(persisted))
  if (persisted.error !== undefined)
    throw isFailure ? combined(failure, besides(persisted.error)) : persisted.error
  if (!finished)
    throw withRemarks(failure, [podsBefore(failures), keptOf(persisted.value), persisted.value?.remark])
  return { worked, persisted: persisted.value ?? null }
}

/** A promise whose failure is nobody's. */
const alertedOf = (alerting: Promise<unknown>) => {
  let pending = true
  const done = settled(alerting).then(() => void (pending = false))
  return { isPending: () => pending, done }
}

const besides = (error: unknown): string => `Besides: ${textOf(error)}`

const cancelledText = ({ value, error }: { readonly value?: Persisted | null; readonly error?: unknown }) =>
  [
    "The run was cancelled.",
    ...(error === undefined ? [] : [besides(error)]),
    ...(value?.remark ? [value.remark] : [])
  ].join(" ")

const withRemarks = (failure: unknown, remarks: ReadonlyArray<string | undefined>): unknown => {
  const said = remarks.filter((remark) => remark !== undefined && remark !== "")
  return said.length === 0 ? failure : combined(failure, said.join(" "))
}

/** What the next run goes on from. */
const keptOf = (persisted: Persisted | null | undefined): string =>
  persisted?.saved === true ? "What it had reached is saved." : "It has left no state to save."

/** What became of the run's Pods before its last. */
const podsBefore = (failures: ReadonlyArray<string>): string =>
  failures.length < 2 ? "" : `Pods of this run before it: ${failures.slice(0, -1).join(", ")}.`

const withPods = (failure: unknown, failures: ReadonlyArray<string>): string =>
  [textOf(failure), podsBefore(failures)].join(" ").trim()
