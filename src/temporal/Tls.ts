/** TLS and API key of the connection to Temporal, from the settings and the files they name. */
import type { NativeConnectionOptions } from "@temporalio/worker"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { readFile } from "node:fs/promises"
import type { WorkerConfig } from "../Config.ts"
import { textOf } from "./TemporalUnavailable.ts"

type Settings = WorkerConfig["Service"]["temporal"]

/** A certificate or key that cannot be read. */
export class UnreadableCertificate extends Schema.TaggedError<UnreadableCertificate>()(
  "UnreadableCertificate",
  {
    variable: Schema.String,
    detail: Schema.String
  }
) {
  override get message(): string {
    return `${this.variable}: ${this.detail}`
  }
}

const fileOf = (variable: string, path: string | undefined) =>
  path === undefined
    ? Effect.succeed(undefined)
    : Effect.tryPromise({
        try: () => readFile(path),
        catch: (cause) => new UnreadableCertificate({ variable, detail: textOf(cause) })
      })

/** Read anew for each connection: certificates are renewed while the worker runs. */
export const connectionOptions = Effect.fnUntraced(function* (settings: Settings) {
  const { apiKey, clientCert, clientKey, serverCa, serverName } = settings
  const credentials = apiKey === undefined ? {} : { apiKey: Redacted.value(apiKey) }
  const isNeeded = [apiKey, clientCert, serverCa, serverName].some((given) => given !== undefined)
  if (!(settings.tls ?? isNeeded)) return { ...credentials, tls: false } satisfies NativeConnectionOptions
  const ca = yield* fileOf("TEMPORAL_TLS_SERVER_CA_CERT_PATH", serverCa)
  const crt = yield* fileOf("TEMPORAL_TLS_CLIENT_CERT_PATH", clientCert)
  const key = yield* fileOf("TEMPORAL_TLS_CLIENT_KEY_PATH", clientKey)
  return {
    ...credentials,
    tls: {
      ...(serverName === undefined ? {} : { serverNameOverride: serverName }),
      ...(ca === undefined ? {} : { serverRootCACertificate: ca }),
      ...(crt === undefined || key === undefined ? {} : { clientCertPair: { crt, key } })
    }
  } satisfies NativeConnectionOptions
})
