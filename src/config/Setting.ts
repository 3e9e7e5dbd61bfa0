/** One setting: its variable, what it means, and how its text is read. Pure. */
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as GoDuration from "./GoDuration.ts"
import { type JsonObject, parseObject } from "../Json.ts"

export interface Setting<A> {
  readonly variable: string
  /** Other names for the same setting; the first one set wins. */
  readonly aliases: ReadonlyArray<string>
  /** As text; undefined where the setting is required or simply absent by default. */
  readonly default: string | undefined
  readonly required: boolean
  /** Its value is printed nowhere. */
  readonly secret: boolean
  /** White space around the value is part of it. */
  readonly verbatim: boolean
  readonly meaning: string
  /** What a valid value looks like, for people. */
  readonly expects: string
  /** Undefined where the text is not valid. */
  readonly parse: (text: string) => A | undefined
}

interface Options {
  readonly default?: string
  readonly aliases?: ReadonlyArray<string>
}

interface Kind<A> {
  readonly expects: string
  readonly parse: (text: string) => A | undefined
  readonly secret?: boolean
  readonly verbatim?: boolean
}

const base = {
  aliases: [],
  default: undefined,
  required: false,
  secret: false,
  verbatim: false
}

/** Must be set, by its name or an alias. */
export const required = <A>(
  variable: string,
  kind: Kind<A>,
  meaning: string,
  options: Options = {}
): Setting<A> => ({
  ...base,
  ...kind,
  ...options,
  variable,
  meaning,
  required: true
})

/** Has a value whatever the environment says. */
export const withDefault = <A>(
  variable: string,
  kind: Kind<A>,
  fallback: string,
  meaning: string
): Setting<A> => ({
  ...base,
  ...kind,
  variable,
  meaning,
  default: fallback
})

/** May be absent. */
export const optional = <A>(variable: string, kind: Kind<A>, meaning: string): Setting<A | undefined> => ({
  ...base,
  ...kind,
  variable,
  meaning
})

const matching = (pattern: RegExp, expects: string): Kind<string> => ({
  expects,
  parse: (text) => (pattern.test(text) ? text : undefined)
})

export const text: Kind<string> = { expects: "a text", parse: (value) => value }
export const secret: Kind<Redacted.Redacted> = {
  expects: "a text",
  parse: (value) => Redacted.make(value),
  secret: true
}
/** Unlike a key, which OLake's UI trims before it encrypts, a password may end in a space. */
export const password: Kind<Redacted.Redacted> = { ...secret, verbatim: true }

export const hostAndPort: Kind<string> = {
  expects: "host:port",
  parse: (value) => {
    const [, digits = ""] = /^(?:[^\s:/]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/.exec(value) ?? []
    return port.parse(digits) === undefined ? undefined : value
  }
}
export const absolutePath = matching(/^\//, "an absolute path")
export const name = matching(
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/,
  "the name of a Kubernetes object: lower-case letters, digits, `-` and `.`"
)
export const namespace = matching(
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
  "a namespace: lower-case letters, digits and `-`, at most 63"
)
export const tablePart = matching(/^[A-Za-z0-9_-]{1,32}$/, "letters, digits, `_` and `-`, at most 32")
export const secretKeyName = matching(
  /^[A-Za-z0-9._-]{1,253}$/,
  "a key of a Secret: letters, digits, `.`, `_` and `-`"
)

/** Kubernetes' own grammar of quantities, without exponents. */
export const quantity = matching(
  /^\d+(?:\.\d+)?(?:m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/,
  "a Kubernetes quantity such as 250m or 512Mi"
)

export const whole = (minimum: number, maximum: number): Kind<number> => ({
  expects: `a whole number from ${minimum} to ${maximum}`,
  parse: (value) => {
    const number = Number(value)
    return /^\d+$/.test(value) && number >= minimum && number <= maximum ? number : undefined
  }
})
export const port: Kind<number> = { ...whole(1, 65_535), expects: "a port number from 1 to 65535" }

export const duration: Kind<Duration.Duration> = {
  expects: "a Go duration such as 2h45m, or whole seconds, above zero",
  parse: (value) => {
    const parsed = GoDuration.parse(value)
    return parsed !== undefined && Duration.toMillis(parsed) > 0 ? parsed : undefined
  }
}

export const url: Kind<string> = {
  expects: "an http or https URL",
  parse: (value) => (URL.canParse(value) && /^https?:\/\//i.test(value) ? value : undefined)
}

/** What Go's strconv.ParseBool takes. */
export const flag: Kind<boolean> = {
  expects: "true or false",
  parse: (value) =>
    /^(?:1|t|true)$/i.test(value) ? true : /^(?:0|f|false)$/i.test(value) ? false : undefined
}

export const jsonObject: Kind<JsonObject> = { expects: "a JSON object", parse: parseObject }

/** An annotation's name, as Kubernetes has it: at most 63 characters, perhaps a domain before it. */
const ANNOTATION = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/

export const annotations: Kind<Readonly<Record<string, string>>> = {
  expects: "a JSON object of annotation names to texts",
  parse: (text) => {
    const entries = Object.entries(parseObject(text) ?? { "": "" })
    const good = entries.flatMap(([key, value]) =>
      ANNOTATION.test(key) && Predicate.isString(value) ? [[key, value] as const] : []
    )
    return good.length === entries.length ? Object.fromEntries(good) : undefined
  }
}

export const oneOf = <A extends string>(...values: ReadonlyArray<A>): Kind<A> => ({
  expects: `one of ${values.join(", ")}`,
  parse: (value) => values.find((candidate) => candidate.toLowerCase() === value.toLowerCase())
})

export const list: Kind<ReadonlyArray<string>> = {
  expects: "names with commas between them",
  parse: (value) => {
    const names = value
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "")
    return names.every((part) => name.parse(part) !== undefined) ? names : undefined
  }
}
