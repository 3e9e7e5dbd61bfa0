/** Connector versions as OLake compares them: Go's semantic versions, such as `v0.9.4` or `v1.0.0-rc.1`. Pure. */

const NUMBER = "(?:0|[1-9]\\d*)"
const LABEL = `(?:${NUMBER}|\\d*[A-Za-z-][0-9A-Za-z-]*)`
const RELEASE = new RegExp(
  `^v(${NUMBER})(?:\\.(${NUMBER})(?:\\.(${NUMBER})(?:-(${LABEL}(?:\\.${LABEL})*))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?)?)?$`
)

/** Whether the image tag is a release at all; `latest` and `dev-1` are not. */
export const isRelease = (tag: string): boolean => RELEASE.test(tag)

const byNumber = (one: string, other: string): number => Math.sign(Number(one) - Number(other))

const byLabel = (one: string, other: string): number => {
  const [isNumber, isOtherNumber] = [/^\d+$/.test(one), /^\d+$/.test(other)]
  if (isNumber && isOtherNumber) return byNumber(one, other)
  if (isNumber !== isOtherNumber) return isNumber ? -1 : 1
  return one === other ? 0 : one < other ? -1 : 1
}

/** A prerelease comes before its release, and a shorter one before a longer one that begins alike. */
const byPrerelease = (one: string, other: string): number => {
  if (one === other) return 0
  if (one === "" || other === "") return one === "" ? 1 : -1
  const [labels, others] = [one.split("."), other.split(".")]
  for (const [index, label] of labels.entries()) {
    const against = others[index]
    if (against === undefined) return 1
    const order = byLabel(label, against)
    if (order !== 0) return order
  }
  return -1
}

/** Whether the tag is a release, and none before `minimum`. */
export const isAtLeast = (tag: string, minimum: string): boolean => {
  const [, ...own] = RELEASE.exec(tag) ?? []
  const [, ...least] = RELEASE.exec(minimum) ?? []
  if (own.length === 0) return false
  for (const part of [0, 1, 2]) {
    const order = byNumber(own[part] ?? "0", least[part] ?? "0")
    if (order !== 0) return order > 0
  }
  return byPrerelease(own[3] ?? "", least[3] ?? "") >= 0
}
