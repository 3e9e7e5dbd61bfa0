/**
 * Removes decrypted configs that a crash has left in the directories of runs which are over. A run's own end removes its
 * own; this is for those that had none: a workflow that was terminated, a worker that was killed.
 */
import * as Effect from "effect/Effect"
import { readNote } from "../activity/writer/RunDirectory.ts"
import { ownerOf } from "../kubernetes/pod/PodIdentity.ts"
import { PodWatch } from "../kubernetes/PodWatch.ts"
import { holdsCredentials } from "../olake/Connector.ts"
import type { RunNote } from "../olake/RunNote.ts"
import { ofWriter } from "../olake/Workdir.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"
import { TemporalClient } from "../temporal/TemporalClient.ts"
import { periodically } from "./Periodically.ts"

const FIRST = "1 minute"
const PERIOD = "5 minutes"
/** Rounds after which directories that were found clean are looked at again: their workflow may have run anew. */
const ROUNDS = 12

/** Whether the run that the note names is surely over. */
const isOver = Effect.fnUntraced(function* ({ workflowId, runId = "", temporalNamespaceId }: RunNote) {
  const client = yield* TemporalClient
  const run = yield* client.lookAt(workflowId, runId)
  if (run.state === "closed") return true
  // Forgotten here; of another Temporal it may go on.
  return (
    run.state === "unknown" &&
    temporalNamespaceId !== undefined &&
    temporalNamespaceId === (yield* client.namespaceId)
  )
})

/** What the rounds before have found. */
interface Known {
  round: number
  /** Directories of runs that are over, with nothing left in them. */
  readonly clean: Set<string>
  /** Directories that resist: each is reported once. */
  readonly reported: Set<string>
}

export const newKnown = (): Known => ({ round: 0, clean: new Set(), reported: new Set() })

const look = Effect.fnUntraced(
  function* (directory: string, { clean }: Known) {
    const storage = yield* SharedStorage
    const names = (yield* storage.list(directory)).filter(holdsCredentials)
    const note = yield* readNote(directory)
    if (note === undefined || !(yield* isOver(note))) return
    // Meanwhile another run of the workflow may have begun: it notes that first, and writes its configs then.
    if ((yield* readNote(directory))?.runId !== note.runId) return
    if (names.length > 0) {
      yield* storage.remove(directory, names)
      yield* Effect.logInfo(
        `${names.length} configs in clear text of workflow ${note.workflowId}, which is over: removed`
      )
    }
    clean.add(directory)
  },
  (effect, directory, { reported }) =>
    Effect.catch(effect, ({ message }) => {
      if (reported.has(directory)) return Effect.void
      reported.add(directory)
      return Effect.logWarning(`configs in clear text may be left in ${directory}: ${message}`)
    })
)

export const sweep = Effect.fn("leftCredentials.sweep")(function* (known: Known) {
  const storage = yield* SharedStorage
  const watch = yield* PodWatch
  yield* watch.synced
  const active = new Set<string>()
  for (const pod of yield* watch.live) {
    const { workflowId } = ownerOf(pod)
    if (workflowId !== undefined) active.add(ofWriter(workflowId))
  }
  if (known.round++ % ROUNDS === 0) known.clean.clear()
  const directories = (yield* storage.writers).filter(
    (directory) => !active.has(directory) && !known.clean.has(directory)
  )
  // One after the other: nothing waits for it.
  yield* Effect.forEach(directories, (directory) => look(directory, known), { discard: true })
})

export const run = Effect.suspend(() =>
  periodically(
    { what: "the removal of configs in clear text", first: FIRST, every: PERIOD },
    sweep(newKnown())
  )
)
