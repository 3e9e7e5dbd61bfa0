/** The run of a writer, a sync or a clear-destination: waits for its Pod, then ends it and saves what it has reached. */
import { CancellationScope, CancelledFailure, patched } from "@temporalio/workflow"
import type { Persisted } from "../activity/Persist.ts"
import { began, combined, textOf, typeOf } from "./Failures.ts"

export type Outcome = "completed" | "failed" | "cancelled"

export interface Steps<A> {
  /** Waits for the writer's Pod. */
  readonly work: () => Promise<A>
  /** Asks the Pod to stop; whether its connector had ended well before. */
  readonly stop: () => Promise<{ readonly finished: boolean }>
  /** Ends the Pod and saves the state. */
  readonly persist: (began: boolean, outcome: Outcome) => Promise<Persisted | null>
  /** Tells people of a failure; called before `persist`. */
  readonly alert: (failure: string) => Promise<unknown>
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
  CancellationScope.current()
    .cancelRequested.catch(() => {
      // Runs that began without it, on the Go worker too, have no such command in their histories.
      if (!patched("stop-on-cancel")) return undefined
      return inner.run(stop).then((answer) => void (finished = answer.finished))
    })
    .catch(() => undefined)
  return { isFinished: () => finished, giveUp: () => inner.cancel() }
}

export const runWriter = async <A>({
  work,
  stop,
  persist,
  alert
}: Steps<A>): Promise<{ readonly worked: A | undefined; readonly persisted: Persisted | null }> => {
  const stopping = stopOnCancel(stop)
  const { value: worked, error: failure } = await settled(work())
  stopping.giveUp()
  if (typeOf(failure) === "InvalidRequest") throw failure
  // By scope, not by the error's class: between two attempts, or without a worker, a cancel looks otherwise.
  const cancelled = CancellationScope.current().consideredCancelled
  const isFailure = failure !== undefined && !cancelled
  const outcome = failure === undefined ? "completed" : cancelled ? "cancelled" : "failed"
  const persisted = await nonCancellable(async () => {
    // Both in one workflow task, the alert first, as the Go worker orders them.
    const alerting = isFailure ? alertedOf(alert(textOf(failure))) : undefined
    const result = await settled(persist(began(failure, cancelled), outcome))
    if (alerting?.isPending() === true && patched("await-alert")) await alerting.done
    return result
  })
  // A connector that had ended well before the cancel reached it has done its work.
  const finished = failure === undefined || stopping.isFinished() || persisted.value?.finished === true
  if (cancelled && !finished) throw new CancelledFailure(cancelledText(persisted))
  if (persisted.error !== undefined)
    throw isFailure ? combined(failure, besides(persisted.error)) : persisted.error
  if (!finished) throw withRemark(failure, persisted.value?.remark)
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

const withRemark = (failure: unknown, remark: string | undefined): unknown =>
  remark === undefined || remark === "" ? failure : combined(failure, remark)
