/** What a marker says of a writer's Pod, and where none can be made. Pure. */
import { type ExitMarker, hasEndedByItself, hasFinished } from "../../olake/ExitMarker.ts"
import { isOwnEnd } from "../../olake/Failures.ts"
import { isGos } from "../pod/PodIdentity.ts"
import type { PodFailure } from "./PodFailure.ts"
import { failed, failure, type PodStatusOptions, type Verdict } from "./Verdict.ts"
import { type ContainerView, MAIN_CONTAINER, type PodView } from "../pod/PodView.ts"

/** The connector's own end, as a container's: what `decide` judges by its exit code. */
const ownEnd = ({ exitCode }: ExitMarker): ContainerView => ({
  name: MAIN_CONTAINER,
  kind: "main",
  state: "terminated",
  exitCode
})

/**
 * A connector that had ended by itself is judged by that, whatever then became of its Pod; one that was told to stop has
 * not succeeded. The marker of an earlier Pod counts for nothing, and one that adds nothing changes nothing.
 * @param byExit how a connector that has ended so is judged
 */
export const withMarker = (
  plain: Verdict,
  view: PodView,
  { marker, stopRequested }: PodStatusOptions,
  byExit: (ended: ContainerView) => Verdict
): Verdict => {
  if (marker?.uid !== view.uid || stopRequested) return plain
  if (plain._tag === "Succeeded") {
    if (!marker.stopped) return plain
    const main = view.containers.find(({ name }) => name === MAIN_CONTAINER)
    return failed(10, failure(view, "Interrupted", main))
  }
  if (!hasEndedByItself(marker)) return plain
  const found = plain._tag === "Failed" ? plain.failure : plain.giveUp?.failure
  // The container's own words of a failure say more than a marker, but none stand against work that is done.
  const isTold = found !== undefined && isOwnEnd(found.class) && !hasFinished(marker)
  return isTold ? plain : byExit(ownEnd(marker))
}

/** Whether a container with a shell around its connector could not even begin: no shell, or the connector elsewhere. */
export const cannotMark = (view: PodView, found: PodFailure | undefined): boolean =>
  found?.class === "BadConfig" &&
  !isGos(view) &&
  (found.exitCode === 127 || /exec: "\/bin\/sh".*no such file/.test(found.clusterMessage ?? ""))
