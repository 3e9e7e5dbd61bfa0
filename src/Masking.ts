/** Keeps secrets out of what the worker says. Pure. */
import * as Redacted from "effect/Redacted"
import type { WorkerConfig } from "./Config.ts"

export type Mask = (text: string) => string

/** As it stands in a URL; the text itself where no URL can hold it. */
const inUrl = (text: string): string => {
  try {
    return encodeURIComponent(text)
  } catch {
    return text
  }
}

/** Replaces each secret, also as JSON, a URL or base64 has it. Short ones would mask ordinary words. */
export const mask = (secrets: ReadonlyArray<string>): Mask => {
  const forms = secrets
    .filter((secret) => secret.length >= 6)
    .flatMap((secret) => [
      secret,
      JSON.stringify(secret).slice(1, -1),
      inUrl(secret),
      Buffer.from(secret).toString("base64")
    ])
    .toSorted((one, other) => other.length - one.length)
  const distinct = [...new Set(forms)]
  return (text) => distinct.reduce((rest, form) => rest.replaceAll(form, "<redacted>"), text)
}

/** Masks the secrets that the worker itself is configured with. */
export const maskOf = ({ database, jobs, temporal }: WorkerConfig["Service"]): Mask =>
  mask(
    [database.password, jobs.secretKey, temporal.apiKey].flatMap((secret) =>
      secret === undefined ? [] : [Redacted.value(secret)]
    )
  )
