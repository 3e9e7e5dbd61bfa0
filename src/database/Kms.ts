/** AWS KMS: a key that never leaves it. The package is only loaded where such a key is configured. */
import type { KMSClient } from "@aws-sdk/client-kms"
import * as Effect from "effect/Effect"

/** An ARN instead of a key. */
export const isKey = (key: string): boolean => key.startsWith("arn:aws:kms:")

export interface KmsProblem {
  readonly problem: string
  readonly isRetryable: boolean
}

const LIMIT = "10 seconds"

/** What an operator has to put right; the rest passes. */
const REMEDIES: Readonly<Record<string, string>> = {
  AccessDeniedException: "Grant the worker's AWS identity kms:Decrypt on this key.",
  NotFoundException: "Is the ARN in OLAKE_SECRET_KEY right?",
  DisabledException: "Enable the key.",
  KMSInvalidStateException: "The key is being deleted or imported; make it usable.",
  InvalidCiphertextException: "Is it the key that OLake's UI has?",
  IncorrectKeyException: "Is it the key that OLake's UI has?",
  InvalidKeyUsageException: "The key is not one for encryption.",
  InvalidClientTokenId: "The AWS credentials are not valid.",
  UnrecognizedClientException: "The AWS credentials are not valid.",
  InvalidSignatureException: "The AWS credentials are not valid.",
  CredentialsProviderError:
    "The worker has no AWS credentials: give its ServiceAccount a role, or set AWS_ACCESS_KEY_ID."
}

const problemOf = (cause: unknown): KmsProblem => {
  if (!(cause instanceof Error)) return { problem: `AWS KMS: ${String(cause)}.`, isRetryable: true }
  const remedy = REMEDIES[cause.name]
  const said = cause.message === "" ? "" : `: ${cause.message.slice(0, 300)}`
  return {
    problem: `AWS KMS says ${cause.name}${said}. ${remedy ?? "It is tried again."}`,
    isRetryable: remedy === undefined
  }
}

/** @param arn `arn:aws:kms:<region>:<account>:key/<id>` */
export const make = Effect.fnUntraced(function* (arn: string, endpoint: string | undefined) {
  const region = arn.split(":")[3] ?? ""
  const client = yield* Effect.cached(
    Effect.tryPromise({
      try: async (): Promise<KMSClient> => {
        const kms = await import("@aws-sdk/client-kms")
        return new kms.KMSClient({ region, maxAttempts: 4, ...(endpoint === undefined ? {} : { endpoint }) })
      },
      catch: problemOf
    })
  )
  yield* Effect.addFinalizer(() => Effect.ignoreCause(Effect.map(client, (it) => it.destroy())))
  return (body: Buffer): Effect.Effect<string, KmsProblem> =>
    Effect.flatMap(client, (it) =>
      Effect.tryPromise({
        try: async (abortSignal) => {
          const { DecryptCommand } = await import("@aws-sdk/client-kms")
          const { Plaintext } = await it.send(new DecryptCommand({ CiphertextBlob: body }), { abortSignal })
          return Buffer.from(Plaintext ?? []).toString("utf8")
        },
        catch: problemOf
      })
    ).pipe(
      Effect.timeoutOrElse({
        duration: LIMIT,
        orElse: () => Effect.fail({ problem: `AWS KMS gave no answer in ${LIMIT}.`, isRetryable: true })
      })
    )
})
