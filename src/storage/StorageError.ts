/** Why the shared storage could not be used, classified once, where the operating system's answer enters. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

/** The storage could not be used; the reason is the operating system's. */
export class StorageError extends Schema.TaggedError<StorageError>()("StorageError", {
  operation: Schema.String,
  path: Schema.String,
  /** `PermissionDenied`, `NotFound`, `TimedOut`, an errno such as `ENOSPC`. */
  reason: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `Shared storage: cannot ${this.operation} ${this.path}: ${this.reason}${this.detail === "" ? "" : ` (${this.detail})`}. ${REMEDIES[this.reason] ?? "Check the volume of SHARED_STORAGE_PATH."}`
  }
  get isRetryable(): boolean {
    return !["NotFound", "PermissionDenied", "EROFS", "EACCES", "EPERM"].includes(this.reason)
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  PermissionDenied: "Give the worker's user write access to the volume (fsGroup or the volume's owner).",
  EROFS: "The volume is mounted read-only; mount it read-write.",
  ENOSPC: "The volume is full; free space or enlarge it.",
  EDQUOT: "The volume's quota is used up; free space or enlarge it.",
  NotFound: "Is the volume mounted at SHARED_STORAGE_PATH?",
  TimedOut: "The mount does not answer; check the storage server."
}

export const reasonOf = ({
  reason,
  message
}: PlatformError): { readonly reason: string; readonly detail: string } => {
  const { cause } = reason
  const errno =
    Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) ? cause.code : undefined
  return {
    reason:
      errno !== undefined && reason._tag === "Unknown" ? errno : errno === "EROFS" ? errno : reason._tag,
    detail: cause instanceof Error ? cause.message : message
  }
}

/** None for what is not there. */
export const noneIfMissing = <A, E, R>(
  reading: Effect.Effect<A, E | StorageError, R>
): Effect.Effect<Option.Option<A>, E | StorageError, R> =>
  Effect.map(reading, Option.some).pipe(
    Effect.catchIf(
      (error) => error instanceof StorageError && error.reason === "NotFound",
      () => Effect.succeed(Option.none<A>())
    )
  )
