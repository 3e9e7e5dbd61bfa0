/** Text that should be one JSON object. Pure. */
import * as Predicate from "effect/Predicate"

export type JsonObject = Readonly<Record<string, unknown>>

/** Undefined where the text is no JSON, or something else than an object. */
export const parseObject = (text: string): JsonObject | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return Predicate.isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Leaves out what is undefined, as exactOptionalPropertyTypes asks for. */
export const defined = <T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T // SAFETY: only absent keys go
