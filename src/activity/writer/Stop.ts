/** `StopActivity`: asks the Pod of a cancelled writer to stop, at once; `EndSync.ts` waits for its end. */
import * as Effect from "effect/Effect"
import { PodRunner } from "../../kubernetes/PodRunner.ts"
import type { StopParams } from "../../olake/contract/Current.ts"
import type { ActivityRun } from "../Activity.ts"

export const stop = Effect.fn("activity.stop")(
  function* ({ operation, jobId }: StopParams, { run }: ActivityRun) {
    const pods = yield* PodRunner
    return { finished: yield* pods.askToStop({ operation, jobId, run }) }
  },
  (effect, { operation, jobId }) => Effect.annotateLogs(effect, { operation, jobId })
)
