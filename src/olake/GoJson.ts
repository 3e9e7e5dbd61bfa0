/** JSON as Go's encoding/json writes it: sorted keys, and `<`, `>`, `&` escaped. Files that the UI reads were written so. */
import * as Predicate from "effect/Predicate"

const ESCAPED: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029"
}

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (!Predicate.isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)] as const)
  )
}

export const stringify = (value: Readonly<Record<string, unknown>>): string =>
  JSON.stringify(sorted(value)).replace(/[<>&\u2028\u2029]/g, (character) => ESCAPED[character] ?? character)
