/** A writer's directory on the shared storage: whose it is, what a connector has left there, and what must not stay. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type ExitMarker, parseExitMarker } from "../../olake/ExitMarker.ts"
import { hashOf, parseRunNote, type RunNote } from "../../olake/RunNote.ts"
import { EXIT_FILE, OLD_STATE_MARK, RUN_FILE, STATE_FILE } from "../../olake/Workdir.ts"
import { InvalidFile, type JsonFile, parseObject } from "../../storage/JsonFile.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"

/** A file that is there but cannot be read as what it should be, such as a link or half a JSON. */
const invalid = (error: InvalidFile) => Effect.succeed(error)

/** What was found in a writer's directory. */
export interface Left {
  /** Which run the directory belongs to; undefined where no worker of this project has noted it. */
  readonly note: RunNote | undefined
  /** The note as it stands there, for a replacement; an error where it is no plain file. */
  readonly noteText: string | undefined | InvalidFile
  /** The file's text, for a replacement; an error where it is no plain file. */
  readonly stateText: string | undefined | InvalidFile
  /** The state, whoever wrote it; an error where the file holds none. */
  readonly state: JsonFile | undefined | InvalidFile
  /** Whether the state is a connector's, and not what the worker itself has put there. */
  readonly isConnectors: boolean
}

const isFile = <A>(value: A | undefined | InvalidFile): value is A =>
  value !== undefined && !(value instanceof InvalidFile)

const readAsFound = (directory: string, file: string) =>
  Effect.flatMap(SharedStorage, (storage) => storage.read(directory, file)).pipe(
    Effect.map(Option.getOrUndefined),
    Effect.catchTag("InvalidFile", invalid)
  )

/** The directory's note, and nothing is put back: for who comes by while others may be writing. */
export const readNote = (directory: string) =>
  Effect.map(readAsFound(directory, RUN_FILE), (text) => (isFile(text) ? parseRunNote(text) : undefined))

export const readLeft = Effect.fnUntraced(function* (directory: string) {
  const storage = yield* SharedStorage
  const read = (file: string) => readAsFound(directory, file)
  /** A worker may have been killed while it replaced the file. */
  const readWhole = Effect.fnUntraced(function* (file: string) {
    const found = yield* read(file)
    return found === undefined && (yield* storage.restoreTaken(directory, file)) ? yield* read(file) : found
  })
  const noteText = yield* readWhole(RUN_FILE)
  const note = isFile(noteText) ? parseRunNote(noteText) : undefined
  const stateText = yield* readWhole(STATE_FILE)
  const state = isFile(stateText)
    ? yield* parseObject(`${directory}/${STATE_FILE}`, stateText).pipe(
        Effect.catchTag("InvalidFile", invalid)
      )
    : stateText
  // Workers before 0.2 noted the hash of their own state in a file of its own.
  const others = note?.runId === undefined ? [yield* read(OLD_STATE_MARK)] : [note.stateHash, note.foundHash]
  const isConnectors = isFile(state) && !others.includes(hashOf(state.text))
  return { note, noteText, stateText, state, isConnectors } satisfies Left
})

/** How the newest connector in the directory ended; undefined where none has noted it. */
export const exitMarker = Effect.fnUntraced(function* (directory: string) {
  const storage = yield* SharedStorage
  const found = yield* storage
    .read(directory, EXIT_FILE)
    .pipe(Effect.catchTag("InvalidFile", () => Effect.succeed(Option.none<string>())))
  return Option.isSome(found) ? parseExitMarker(found.value) : undefined
})

/** To be read when it is asked for; a volume that does not answer leaves the verdict to what Kubernetes says. */
export const markerIfReadable = (
  directory: string
): Effect.Effect<Effect.Effect<ExitMarker | undefined>, never, SharedStorage> =>
  Effect.map(SharedStorage, (storage) =>
    exitMarker(directory).pipe(
      Effect.orElseSucceed(() => undefined),
      Effect.provideService(SharedStorage, storage)
    )
  )
