/** One trace per run: its id follows from the run's, so that every attempt at every worker adds to the same. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import { createHash } from "node:crypto"

/** Whether spans go anywhere; log lines then name theirs. */
export const isTraced = Context.Reference<boolean>("olake-worker/isTraced", { defaultValue: () => false })

/** Marks the span that stands for the run itself: it has the id that all others name as their parent. */
export const ROOT = "olake.root"

type Attributes = Readonly<Record<string, string | number>>

interface RunIds {
  readonly workflowId: string
  readonly runId: string
}

/** Of a run: 16 bytes for the trace, 8 for its root, as W3C's trace context has them. */
export const runSpan = ({ workflowId, runId }: RunIds): Tracer.ExternalSpan => {
  const digest = createHash("sha256").update(`${workflowId}\n${runId}`).digest("hex")
  return Tracer.externalSpan({ traceId: digest.slice(0, 32), spanId: digest.slice(32, 48), sampled: true })
}

const nanoseconds = (millis: number): bigint => BigInt(Math.round(millis)) * 1_000_000n

/** A span that is over already, below the current one or the given parent. Times in milliseconds since the epoch. */
export const told = Effect.fnUntraced(function* (
  name: string,
  { from, to }: { readonly from: number; readonly to: number },
  attributes: Attributes,
  parent?: Tracer.AnySpan
): Effect.fn.Return<void> {
  if (!(yield* isTraced)) return
  const tracer = yield* Effect.tracer
  const current = yield* Effect.option(Effect.currentParentSpan)
  const span = tracer.span({
    name,
    parent: parent === undefined ? current : Option.some(parent),
    annotations: Context.empty(),
    links: [],
    startTime: nanoseconds(from),
    kind: "internal",
    root: false,
    sampled: true
  })
  for (const [key, value] of Object.entries(attributes)) span.attribute(key, value)
  span.end(nanoseconds(Math.max(from, to)), Exit.void)
})
