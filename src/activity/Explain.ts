/** Adds the connector's own last words to a Pod's failure. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { PodFailure } from "../kubernetes/verdict/PodFailure.ts"
import type { PodExit } from "../kubernetes/PodEnd.ts"
import { MAIN_CONTAINER } from "../kubernetes/pod/PodView.ts"
import { lastErrorLine, outOfMemoryLine } from "../olake/ConnectorOutput.ts"
import type { Job } from "../olake/Job.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"

const mainContainer = ({ view }: PodExit) => view.containers.find(({ name }) => name === MAIN_CONTAINER)

/** The end of its log, that the kubelet puts into the status of a container that failed. */
export const terminationMessage = (exit: PodExit): string => mainContainer(exit)?.message ?? ""

/** The log that this Pod's connector wrote to the shared storage; an earlier attempt's does not count. */
export const ownLog = (
  exit: PodExit,
  job: Pick<Job, "directory">
): Effect.Effect<Option.Option<string>, never, SharedStorage> =>
  Effect.flatMap(SharedStorage, (storage) =>
    storage
      .connectorLog(job.directory, mainContainer(exit)?.startedAt)
      .pipe(Effect.orElseSucceed(() => Option.none()))
  )

/** Exit code of a Go program whose runtime gives up. */
const GO_CRASH = 2

/** The failure of a Pod, with the connector's last error line where the connector is what failed. */
export const explain = Effect.fnUntraced(function* (
  exit: PodExit,
  failure: PodFailure,
  job: Pick<Job, "directory">
) {
  if (failure.class !== "ConnectorFailed") return failure
  const own = Option.getOrElse(yield* ownLog(exit, job), () => "")
  const ended = terminationMessage(exit)
  const said = lastErrorLine(own) ?? lastErrorLine(ended)
  // A Go program that crashes tells why in its output only, above all that it then prints.
  const log =
    said === undefined || failure.exitCode === GO_CRASH
      ? yield* exit.log.pipe(Effect.orElseSucceed(() => ""))
      : ""
  const line =
    outOfMemoryLine(own) ?? outOfMemoryLine(ended) ?? outOfMemoryLine(log) ?? said ?? lastErrorLine(log)
  return line === undefined ? failure : failure.withLastLine(line)
})
