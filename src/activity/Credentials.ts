/** Decrypted configs in a run's directory, and that they do not stay there. */
import * as Effect from "effect/Effect"
import { holdsCredentials } from "../olake/Connector.ts"
import { SharedStorage } from "../storage/SharedStorage.ts"

/** Decrypted configs, and drafts of them that a crash has left. */
export const removeCredentials = Effect.fnUntraced(function* (directory: string) {
  const storage = yield* SharedStorage
  const names = (yield* storage.list(directory)).filter(holdsCredentials)
  yield* storage.remove(directory, names)
  return names.length
})

/** The same where nothing depends on it: what cannot be removed now is left to the removal of old runs. */
export const removeCredentialsIfPossible = (directory: string) =>
  removeCredentials(directory).pipe(
    Effect.asVoid,
    Effect.catch(({ message }) =>
      Effect.logWarning(`the run's configs in clear text are not removed yet: ${message}`)
    )
  )
