/** Decrypts the configs that OLake's UI has encrypted, with the key's text (AES-256-GCM) or in AWS KMS. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { createDecipheriv, createHash } from "node:crypto"
import { WorkerConfig } from "../Config.ts"
import * as Kms from "./Kms.ts"

/** A stored config cannot be decrypted. Holds neither the key nor any part of the text, in either form. */
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

export class Decryption extends Context.Service<
  Decryption,
  {
    /**
     * The JSON object in a column's text. Text that was saved without a key is returned as it is: where none is set, and
     * where it is an object although one is set, since it was saved before the key was.
     */
    readonly decrypt: (stored: string, what: string) => Effect.Effect<string, DecryptionError>
  }
>()("olake-worker/database/Decryption") {
  static readonly layer = Layer.effect(
    Decryption,
    Effect.gen(function* () {
      const { jobs } = yield* WorkerConfig
      const key = jobs.secretKey === undefined ? "" : Redacted.value(jobs.secretKey)
      if (key.trim() === "") return Decryption.of({ decrypt: (stored) => Effect.succeed(stored) })
      const open = yield* opener(key, jobs.kmsEndpoint)
      const decrypt = Effect.fn("Decryption.decrypt")(function* (stored: string, what: string) {
        const fail = ({ problem, isRetryable }: Problem) =>
          new DecryptionError({ what, problem, isRetryable })
        const value = parse(stored)
        if (Predicate.isObject(value)) return stored
        const ciphertext = Predicate.isString(value) ? fromBase64(value) : undefined
        if (ciphertext === undefined) return yield* fail(NOT_ENCRYPTED)
        const plaintext = yield* Effect.mapError(open(ciphertext), fail)
        const text = objectText(plaintext)
        return text ?? (yield* fail(NO_OBJECT))
      })
      return Decryption.of({ decrypt })
    })
  )
}

interface Problem {
  readonly problem: string
  readonly isRetryable: boolean
}
type Open = (ciphertext: Uint8Array) => Effect.Effect<Uint8Array, Problem>

const NOT_ENCRYPTED: Problem = {
  problem:
    "it is neither a JSON object nor an encrypted text (standard base64 as a JSON string). Save it again in the UI.",
  isRetryable: false
}
const TRUNCATED: Problem = {
  problem: "the encrypted text is cut off. Save it again in the UI.",
  isRetryable: false
}
const WRONG_KEY: Problem = {
  problem:
    "it was encrypted with another key, or is damaged. Check that OLAKE_SECRET_KEY is the UI's; if it is, save it again in the UI.",
  isRetryable: false
}
const NO_OBJECT: Problem = {
  problem: "what was encrypted is no JSON object. Save it again in the UI.",
  isRetryable: false
}

const opener = (key: string, kmsEndpoint: string | undefined): Effect.Effect<Open, never, Scope.Scope> =>
  Kms.isKeyArn(key)
    ? Kms.make(key, kmsEndpoint)
    : Effect.sync(() => openLocally(createHash("sha256").update(key, "utf8").digest()))

const NONCE = 12
const TAG = 16

/** Go's sealed form: nonce, ciphertext, tag. */
const openLocally =
  (key: Uint8Array): Open =>
  (sealed) => {
    const end = sealed.length - TAG
    if (end < NONCE) return Effect.fail(TRUNCATED)
    return Effect.try({
      try: () => {
        const cipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE), { authTagLength: TAG })
        cipher.setAuthTag(sealed.subarray(end))
        return Buffer.concat([cipher.update(sealed.subarray(NONCE, end)), cipher.final()])
      },
      catch: () => WRONG_KEY
    })
  }

/** Undefined where it is not JSON; the parser's own words would quote the text. */
const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Node skips over what is not base64; a text that is comes back the same. */
const fromBase64 = (text: string): Uint8Array | undefined => {
  const bytes = Buffer.from(text, "base64")
  return bytes.toString("base64") === text ? bytes : undefined
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const objectText = (plaintext: Uint8Array): string | undefined => {
  try {
    const text = utf8.decode(plaintext)
    return Predicate.isObject(parse(text)) ? text : undefined
  } catch {
    return undefined
  }
}
