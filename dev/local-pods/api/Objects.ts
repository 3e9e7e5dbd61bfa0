/** Kubernetes objects as JSON carries them, and the Status answers of an API server. */
import * as Schema from "effect/Schema"

const Texts = Schema.Record(Schema.String, Schema.String)

/** What a client may send as metadata; the rest is the server's. */
export const Manifest = Schema.Struct({
  metadata: Schema.Struct({
    name: Schema.optionalKey(Schema.String),
    generateName: Schema.optionalKey(Schema.String),
    labels: Schema.optionalKey(Texts),
    annotations: Schema.optionalKey(Texts),
    finalizers: Schema.optionalKey(Schema.Array(Schema.String))
  })
})

export interface ObjectMeta {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly resourceVersion: string
  readonly creationTimestamp: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: ReadonlyArray<{ readonly uid: string }>
  readonly finalizers?: ReadonlyArray<string>
  readonly deletionTimestamp?: string
  readonly deletionGracePeriodSeconds?: number
}

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly [field: string]: unknown
}

export const KINDS = { pods: "Pod", secrets: "Secret", configmaps: "ConfigMap" } as const
export type Resource = keyof typeof KINDS

export const isResource = (name: string): name is Resource => Object.hasOwn(KINDS, name)

export const timestamp = (millis = Date.now()): string => `${new Date(millis).toISOString().slice(0, 19)}Z`

export interface StatusBody {
  readonly kind: "Status"
  readonly apiVersion: "v1"
  readonly metadata: Readonly<Record<string, unknown>>
  readonly status: "Success" | "Failure"
  readonly message?: string
  readonly reason?: string
  readonly details?: Readonly<Record<string, unknown>>
  readonly code?: number
}

/** A refusal; thrown inside the server, answered as the Status it carries. */
export class ApiRefusal extends Error {
  readonly body: StatusBody
  readonly code: number
  constructor(code: number, reason: string, message: string, details?: Readonly<Record<string, unknown>>) {
    super(message)
    this.code = code
    this.body = {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      reason,
      ...(details === undefined ? {} : { details }),
      code
    }
  }
}

export const notFound = (resource: string, name: string) =>
  new ApiRefusal(404, "NotFound", `${resource} "${name}" not found`, { name, kind: resource })

export const alreadyExists = (resource: string, name: string) =>
  new ApiRefusal(409, "AlreadyExists", `${resource} "${name}" already exists`, { name, kind: resource })

export const badRequest = (message: string) => new ApiRefusal(400, "BadRequest", message)

export const invalid = (kind: string, name: string, field: string, message: string) =>
  new ApiRefusal(422, "Invalid", `${kind} "${name}" is invalid: ${field}: ${message}`, {
    name,
    kind,
    causes: [{ reason: "FieldValueInvalid", message, field }]
  })

export const conflict = (kind: string, name: string, why: string) =>
  new ApiRefusal(409, "Conflict", `Operation cannot be fulfilled on ${kind} "${name}": ${why}`, {
    name,
    kind
  })

export const expired = (version: number, oldest: number) =>
  new ApiRefusal(410, "Expired", `too old resource version: ${version} (${oldest})`)
