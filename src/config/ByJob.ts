/** JSON objects with an entry for each job. A bad entry is left out and said; the others hold. Pure. */
import { parseObject } from "../Json.ts"

export interface ByJob<A> {
  readonly entries: ReadonlyMap<number, A>
  /** One line per entry that was left out. */
  readonly problems: ReadonlyArray<string>
}

/** An entry's value, or what is wrong with it: the path below the entry, and the words. */
export type ParsedEntry<A> = { readonly value: A } | { readonly at: string; readonly problem: string }

/** Undefined where the text is no JSON object at all. */
export const parseByJob = <A>(
  variable: string,
  text: string,
  parseEntry: (value: unknown) => ParsedEntry<A>
): ByJob<A> | undefined => {
  const given = parseObject(text)
  if (given === undefined) return undefined
  const entries = new Map<number, A>()
  const problems: Array<string> = []
  for (const [id, value] of Object.entries(given)) {
    const parsed = !/^\d{1,15}$/.test(id)
      ? { at: "", problem: "expected a job id, a whole number" }
      : entries.has(Number(id))
        ? { at: "", problem: "names the same job as an entry before it" }
        : parseEntry(value)
    if ("value" in parsed) entries.set(Number(id), parsed.value)
    else problems.push(`${variable}.${id}${parsed.at}: ${parsed.problem}; this entry is left out`)
  }
  return { entries, problems }
}
