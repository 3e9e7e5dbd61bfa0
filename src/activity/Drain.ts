/** Said once, when this process begins to stop: waits on Pods detach at once, short work goes on to its end. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export class Drain extends Context.Service<
  Drain,
  { readonly signal: AbortSignal; readonly begin: Effect.Effect<void> }
>()("olake-worker/activity/Drain") {
  static readonly layer = Layer.sync(Drain, () => {
    const controller = new AbortController()
    return Drain.of({ signal: controller.signal, begin: Effect.sync(() => controller.abort()) })
  })
}
