/** Writing below the shared storage's root: a file appears whole or not at all, and two writers hear of each other. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Random from "effect/Random"
import * as path from "node:path"
import { noneIfMissing, type StorageError } from "./StorageError.ts"

/** Read by the UI and by connectors of any user. */
export const OPEN_MODE = 0o644

/** Ends the name of a file that is being replaced. */
const TAKEN = ".taken"

interface Parts {
  readonly fs: FileSystem.FileSystem
  readonly inside: (...parts: ReadonlyArray<string>) => string
  /** One bounded call, its failure classified. */
  readonly attempt: <A>(
    operation: string,
    target: string,
    io: Effect.Effect<A, PlatformError>
  ) => Effect.Effect<A, StorageError>
  /** The worker's name, for the names of its drafts. */
  readonly worker: string
}

export const make = ({ fs, inside, attempt, worker }: Parts) => {
  /** No two drafts have one name, for two attempts may write the same file at once. */
  const draftOf = (target: string) =>
    Effect.map(
      Random.nextIntBetween(0, 2 ** 32),
      (number) => `${target}.${worker}-${number.toString(16)}.tmp`
    )

  const discard = (file: string) => Effect.ignore(fs.remove(file, { force: true }))

  /**
   * Another process sees the old file or the new one, never a part; and a private one is so from its first byte.
   * @param place moves the draft to its place; a draft that is not moved is removed, which an attempt that is given up does
   * not wait for: the volume may hang
   */
  const writeDraft = <A, E>(
    target: string,
    content: string,
    mode: number,
    place: (draft: string) => Effect.Effect<A, E | PlatformError>
  ) =>
    Effect.flatMap(draftOf(target), (draft) =>
      fs.writeFileString(draft, content, { mode, flag: "wx" }).pipe(
        Effect.andThen(fs.chmod(draft, mode)),
        Effect.andThen(place(draft)),
        Effect.tap(() => discard(draft)),
        Effect.tapError(() => discard(draft)),
        Effect.onInterrupt(() => Effect.forkDetach(discard(draft)))
      )
    )

  const writeWhole = (target: string, content: string, mode = OPEN_MODE) =>
    attempt(
      "write",
      target,
      writeDraft(target, content, mode, (draft) => fs.rename(draft, target))
    )

  /** Not every file system has hard links; where there are none, a look comes before the rename. */
  const createFrom = (draft: string, target: string) =>
    fs.link(draft, target).pipe(
      Effect.as(true),
      Effect.catch((error) =>
        error.reason._tag === "AlreadyExists"
          ? Effect.succeed(false)
          : Effect.flatMap(fs.exists(target), (isThere) =>
              isThere ? Effect.succeed(false) : Effect.as(fs.rename(draft, target), true)
            )
      )
    )

  /**
   * Puts the draft in the place of a file that still holds what was read of it. The file is taken out of its place first,
   * which only one of several can do; it goes back where it holds something else by now, and whoever has written to the
   * empty place meanwhile is not overwritten. Once begun it goes on to its end, also where nobody waits for it any more.
   */
  const exchange = (draft: string, target: string, was: string) => {
    const taken = `${draft}${TAKEN}`
    const swap = fs.readFileString(taken).pipe(
      Effect.flatMap((now) =>
        now === was ? createFrom(draft, target) : Effect.as(createFrom(taken, target), false)
      ),
      Effect.tapError(() => Effect.ignore(createFrom(taken, target))),
      Effect.tap(() => discard(taken))
    )
    return fs.rename(target, taken).pipe(
      Effect.andThen(swap),
      // Somebody else has taken it.
      Effect.catchIf(
        (error) => error.reason._tag === "NotFound",
        () => Effect.succeed(false)
      ),
      Effect.forkDetach,
      Effect.flatMap(Fiber.join)
    )
  }

  /**
   * Writes the file where it still holds what was read of it; whether it did.
   * @param was what was read; undefined where the file was not there
   */
  const replace = (directory: string, file: string, content: string, was: string | undefined) => {
    const target = inside(directory, file)
    return attempt(
      "write",
      target,
      writeDraft(target, content, OPEN_MODE, (draft) =>
        was === undefined ? createFrom(draft, target) : exchange(draft, target, was)
      )
    )
  }

  const modifiedAt = (file: string) =>
    Effect.map(fs.stat(file), ({ mtime }) => Option.match(mtime, { onNone: () => 0, onSome: Number }))

  /**
   * Puts back what a worker had taken when it was killed; whether there was anything. The newest counts: of a file that is
   * taken twice, the first was put back and written again. Where the place is no longer empty, whoever filled it is at work.
   */
  const restoreTaken = (directory: string, file: string) => {
    const folder = inside(directory)
    return attempt(
      "restore",
      inside(directory, file),
      Effect.gen(function* () {
        const names = yield* fs.readDirectory(folder)
        const taken = names.filter((name) => name.startsWith(`${file}.`) && name.endsWith(TAKEN))
        const dated = yield* Effect.forEach(taken, (name) =>
          Effect.map(modifiedAt(path.join(folder, name)), (at) => ({ name, at }))
        )
        const [newest, ...older] = dated.toSorted((one, other) => other.at - one.at)
        if (newest === undefined) return false
        if (yield* createFrom(path.join(folder, newest.name), inside(directory, file)))
          for (const { name } of [newest, ...older]) yield* discard(path.join(folder, name))
        return true
      })
    ).pipe(noneIfMissing, Effect.map(Option.getOrElse(() => false)))
  }

  return { writeWhole, replace, restoreTaken }
}
