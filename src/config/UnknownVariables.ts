/** Finds variables that look like settings of ours and are none: most are typing errors. Pure. */

/** Kubernetes' variables for Services of the namespace. */
const SERVICE_LINK = /(?:_SERVICE_HOST|_SERVICE_PORT(?:_\w+)?|_PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?)$/

/** Nobody else's names begin so: each one that is unknown is worth a warning. */
const OURS = /^(?:OLAKE|TIMEOUT)_/

/** Where other programs have names too: only what is a letter or two away from one of ours is. */
export const prefixes = ["OLAKE", "TIMEOUT", "JOB", "DB", "MAX", "IMAGE", "TEMPORAL"] as const
const SHARED = /^(?:JOB|DB|MAX|IMAGE|TEMPORAL)_/
const SHARED_DISTANCE = 2

/** JOB_NAME is two letters from POD_NAME, and somebody else's. */
const sharesPrefix =
  (name: string) =>
  (candidate: string): boolean =>
    candidate.split("_", 1)[0] === name.split("_", 1)[0]

const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

export const nearest = (
  name: string,
  known: ReadonlyArray<string>,
  furthest = Math.max(3, name.length / 2)
): string | undefined =>
  known
    .map((candidate) => ({ candidate, distance: distance(name, candidate) }))
    .toSorted((a, b) => a.distance - b.distance)
    .find((best) => best.distance <= furthest)?.candidate

export const warningsFor = (
  names: ReadonlyArray<string>,
  known: ReadonlyArray<string>
): ReadonlyArray<string> =>
  names
    .filter((name) => !known.includes(name) && !SERVICE_LINK.test(name))
    .flatMap((name) => {
      const suggestion = OURS.test(name)
        ? nearest(name, known)
        : SHARED.test(name)
          ? nearest(name, known.filter(sharesPrefix(name)), SHARED_DISTANCE)
          : undefined
      if (suggestion !== undefined) return [`${name}: unknown variable, did you mean ${suggestion}?`]
      return OURS.test(name) ? [`${name}: unknown variable`] : []
    })
