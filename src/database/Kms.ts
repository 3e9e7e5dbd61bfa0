/** AWS KMS as the one call that is needed of it. The SDK is loaded, and its client made, with the first call. */
import type { KMSClientConfig } from "@aws-sdk/client-kms"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import { bounded } from "../Schedules.ts"

/** Why KMS gave no plaintext, without its own words: they name the key. */
export class KmsProblem extends Data.TaggedError("KmsProblem")<{
  readonly problem: string
  readonly isRetryable: boolean
}> {}

/** As OLake has it; other partitions (`arn:aws-cn:`) are no KMS keys to the UI either. */
export const isKeyArn = (key: string): boolean => key.startsWith("arn:aws:kms:")

/** Of a whole call: credentials, and the attempts of the SDK with the pauses between them. */
const LIMIT = "10 seconds"
const ATTEMPTS = { maxAttempts: 3, connectionTimeout: 2000, requestTimeout: 3000 }

export type Decrypt = (ciphertext: Uint8Array) => Effect.Effect<Uint8Array, KmsProblem>

/** One client for the life of the scope, shared by all callers. `endpoint` undefined: what the SDK itself would use. */
export const make = Effect.fnUntraced(function* (
  arn: string,
  endpoint: string | undefined
): Effect.fn.Return<Decrypt, never, Scope.Scope> {
  const region = arn.split(":")[3] ?? ""
  if (region === "") return () => Effect.fail(NO_REGION)
  const scope = yield* Effect.scope
  const client = yield* Effect.cached(
    Effect.acquireRelease(
      Effect.map(
        // An idle worker, and one without KMS, must not pay for it.
        Effect.promise(() => import("@aws-sdk/client-kms")),
        (sdk) => ({ sdk, kms: new sdk.KMSClient(optionsOf(region, endpoint)) })
      ),
      ({ kms }) => Effect.sync(() => kms.destroy())
    ).pipe(Effect.provideService(Scope.Scope, scope))
  )
  return Effect.fn("Kms.decrypt")(function* (CiphertextBlob) {
    const { sdk, kms } = yield* client
    const { Plaintext } = yield* Effect.tryPromise({
      try: (abortSignal) => kms.send(new sdk.DecryptCommand({ CiphertextBlob }), { abortSignal }),
      catch: problemOf
    }).pipe(bounded(LIMIT, () => Effect.fail(TIMED_OUT)))
    return Plaintext ?? new Uint8Array()
  })
})

const optionsOf = (region: string, endpoint: string | undefined): KMSClientConfig => {
  const { maxAttempts, ...timeouts } = ATTEMPTS
  return {
    region,
    maxAttempts,
    ...(endpoint === undefined ? {} : { endpoint }),
    requestHandler: { ...timeouts, throwOnRequestTimeout: true }
  }
}

const NO_REGION = new KmsProblem({
  problem: "OLAKE_SECRET_KEY is the ARN of a KMS key, but names no region. Check that it is the UI's.",
  isRetryable: false
})
const TIMED_OUT = new KmsProblem({
  problem: `AWS KMS did not answer in ${LIMIT}. Can the worker reach it? OLAKE_KMS_ENDPOINT sets another address.`,
  isRetryable: true
})

const GRANT = "Grant the worker's IAM role kms:Decrypt on the key"
const CHECK = "check that OLAKE_SECRET_KEY is the UI's"
const FINAL: Readonly<Record<string, string>> = {
  AccessDeniedException: `the worker may not use the key. ${GRANT}, in the role's policy or the key's.`,
  NotFoundException: `KMS knows no such key. ${GRANT}, and ${CHECK}.`,
  InvalidCiphertextException: `it is damaged, or was encrypted with another key. ${GRANT} that the UI encrypts with, and ${CHECK}.`,
  IncorrectKeyException: `it was encrypted with another key. ${GRANT} that the UI encrypts with, and ${CHECK}.`,
  DisabledException: "the key is disabled. Enable it in AWS KMS.",
  KMSInvalidStateException:
    "the key cannot be used in its state, such as pending deletion. Repair it in AWS KMS.",
  InvalidKeyUsageException: `the key is not for encryption; ${CHECK}.`
}

/** Repaired outside, while a sync must not be lost: the next attempt finds other credentials. */
const CREDENTIALS = new Set([
  "CredentialsProviderError",
  "TokenProviderError",
  "ExpiredTokenException",
  "UnrecognizedClientException",
  "InvalidClientTokenId",
  "InvalidSignatureException",
  "IncompleteSignatureException",
  "MissingAuthenticationTokenException"
])
const THROTTLED = /Throttl|TooManyRequests|LimitExceeded|RequestLimit/

const nameOf = (error: unknown): string =>
  Predicate.hasProperty(error, "code") && Predicate.isString(error.code)
    ? error.code
    : error instanceof Error
      ? error.name
      : "unknown error"

/** The HTTP status; undefined where no answer came. */
const statusOf = (error: unknown): number | undefined =>
  Predicate.hasProperty(error, "$metadata") &&
  Predicate.hasProperty(error.$metadata, "httpStatusCode") &&
  Predicate.isNumber(error.$metadata.httpStatusCode)
    ? error.$metadata.httpStatusCode
    : undefined

/** Classified here, where the SDK's errors enter. */
const problemOf = (error: unknown): KmsProblem => {
  const name = nameOf(error)
  const status = statusOf(error)
  const said = `AWS KMS: ${name}${status === undefined ? "" : ` (HTTP ${status})`}`
  const final = FINAL[name]
  if (final !== undefined) return new KmsProblem({ problem: `${said}: ${final}`, isRetryable: false })
  if (CREDENTIALS.has(name))
    return new KmsProblem({
      problem: `${said}: the worker has no valid AWS credentials. Give its ServiceAccount an IAM role that has kms:Decrypt on the key.`,
      isRetryable: true
    })
  if (status === undefined)
    return new KmsProblem({
      problem: `${said}: no answer. Can the worker reach it? OLAKE_KMS_ENDPOINT sets another address.`,
      isRetryable: true
    })
  if (status >= 500 || status === 429 || THROTTLED.test(name))
    return new KmsProblem({ problem: `${said}: it cannot serve now; try again later.`, isRetryable: true })
  return new KmsProblem({
    problem: `${said}: it refused the request. ${GRANT}, and ${CHECK}.`,
    isRetryable: false
  })
}
