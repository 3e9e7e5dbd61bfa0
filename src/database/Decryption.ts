/** Decrypts what OLake's UI has encrypted: the configs of sources and destinations. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { createDecipheriv, createHash } from "node:crypto"
import { WorkerConfig } from "../Config.ts"
import * as Kms from "./Kms.ts"

/** A stored config that cannot be read. Holds neither key nor text. */
export class DecryptionError extends Schema.TaggedError<DecryptionError>()("DecryptionError", {
  /** Which config, such as "source config of job 8". */
  what: Schema.String,
  problem: Schema.String,
  isRetryable: Schema.Boolean
}) {
  override get message(): string {
    return `The ${this.what} cannot be decrypted: ${this.problem}`
  }
}

const WRONG_KEY =
  "it was not encrypted with OLAKE_SECRET_KEY, or is damaged. Give the worker the key that OLake's UI has."
const NONCE = 12
const TAG = 16

/** AES-256-GCM under the key's SHA-256: the nonce first, the tag last. */
const fromGcm = (key: string, body: Buffer): string => {
  const decipher = createDecipheriv(
    "aes-256-gcm",
    createHash("sha256").update(key, "utf8").digest(),
    body.subarray(0, NONCE),
    { authTagLength: TAG }
  )
  decipher.setAuthTag(body.subarray(-TAG))
  return Buffer.concat([decipher.update(body.subarray(NONCE, -TAG)), decipher.final()]).toString("utf8")
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Buffer.from skips what is no base64. */
const fromBase64 = (text: string): Buffer | undefined => {
  const body = Buffer.from(text, "base64")
  return body.toString("base64") === text && body.length > 0 ? body : undefined
}

export class Decryption extends Context.Service<
  Decryption,
  {
    /**
     * @param stored the column's own JSON text: a JSON string of base64 where it is encrypted
     * @param what names it in errors
     */
    readonly decrypt: (stored: string, what: string) => Effect.Effect<string, DecryptionError>
  }
>()("olake-worker/database/Decryption") {
  static readonly layer = Layer.effect(
    Decryption,
    Effect.gen(function* () {
      const { secretKey, kmsEndpoint } = (yield* WorkerConfig).jobs
      const key = secretKey === undefined ? "" : Redacted.value(secretKey)
      if (key === "") return Decryption.of({ decrypt: Effect.succeed })
      const kms = Kms.isKey(key) ? yield* Kms.make(key, kmsEndpoint) : undefined

      const open = (body: Buffer, what: string): Effect.Effect<string, DecryptionError> =>
        kms === undefined
          ? Effect.try({
              try: () => fromGcm(key, body),
              catch: () => new DecryptionError({ what, problem: WRONG_KEY, isRetryable: false })
            })
          : Effect.mapError(kms(body), (error) => new DecryptionError({ what, ...error }))

      return Decryption.of({
        decrypt: Effect.fn("Decryption.decrypt")(function* (stored, what) {
          const failing = (problem: string) => new DecryptionError({ what, problem, isRetryable: false })
          const value = parsed(stored)
          // Saved before there was a key.
          if (Predicate.isObject(value)) return stored
          const body = Predicate.isString(value) ? fromBase64(value) : undefined
          if (body === undefined || (kms === undefined && body.length < NONCE + TAG)) {
            return yield* failing("it is no encrypted text. Save it again in OLake's UI.")
          }
          const text = yield* open(body, what)
          return Predicate.isObject(parsed(text))
            ? text
            : yield* failing("what was encrypted is no JSON object.")
        })
      })
    })
  )
}
