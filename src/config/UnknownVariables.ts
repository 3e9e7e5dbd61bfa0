/** Finds variables that look like settings of ours and are none: most are typing errors. Pure. */

/** Kubernetes' variables for Services of the namespace. */
const SERVICE_LINK = /(?:_SERVICE_HOST|_SERVICE_PORT(?:_\w+)?|_PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?)$/

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

export const nearest = (name: string, known: ReadonlyArray<string>): string | undefined =>
  known
    .map((candidate) => ({ candidate, distance: distance(name, candidate) }))
    .toSorted((a, b) => a.distance - b.distance)
    .find((best) => best.distance <= Math.max(3, name.length / 2))?.candidate

export const warningsFor = (
  names: ReadonlyArray<string>,
  known: ReadonlyArray<string>
): ReadonlyArray<string> =>
  names
    .filter((name) => /^(?:OLAKE|TIMEOUT)_/.test(name) && !known.includes(name) && !SERVICE_LINK.test(name))
    .map((name) => {
      const suggestion = nearest(name, known)
      return `${name}: unknown variable${suggestion === undefined ? "" : `, did you mean ${suggestion}?`}`
    })
