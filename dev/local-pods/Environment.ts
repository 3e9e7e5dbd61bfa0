/** A container's environment and the expansion of its arguments, as the kubelet resolves them. */
import type { KubeObject } from "./api/Objects.ts"
import type { Container } from "./Pod.ts"

export type Env = Readonly<Record<string, string>>

/** The Secrets and ConfigMaps of the Pod's namespace. */
export type Lookup = (resource: "secrets" | "configmaps", name: string) => KubeObject | undefined

/** Why a container cannot be configured: the kubelet's text of CreateContainerConfigError. */
export class ConfigProblem extends Error {}

/** Decoded entries of a Secret or ConfigMap. */
export const entries = (resource: "secrets" | "configmaps", object: KubeObject): Env => {
  const data = object["data"]
  if (typeof data !== "object" || data === null) return {}
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [
      key,
      resource === "secrets" ? Buffer.from(String(value), "base64").toString("utf8") : String(value)
    ])
  )
}

const NOUN = { secrets: "secret", configmaps: "configmap" }

interface Reference {
  readonly name: string
  readonly optional?: boolean
}

const read = (
  lookup: Lookup,
  resource: "secrets" | "configmaps",
  { name, optional = false }: Reference
): Env | undefined => {
  const object = lookup(resource, name)
  if (object !== undefined) return entries(resource, object)
  if (optional) return undefined
  throw new ConfigProblem(`${NOUN[resource]} "${name}" not found`)
}

const valueOf = (
  pod: KubeObject,
  variable: NonNullable<Container["env"]>[number],
  lookup: Lookup
): string | undefined => {
  const { secretKeyRef, configMapKeyRef, fieldRef } = variable.valueFrom ?? {}
  if (fieldRef !== undefined) {
    const { name, namespace, uid } = pod.metadata
    const fields: Env = { "metadata.name": name, "metadata.namespace": namespace, "metadata.uid": uid }
    return fields[fieldRef.fieldPath] ?? ""
  }
  const resource = secretKeyRef === undefined ? "configmaps" : "secrets"
  const reference = secretKeyRef ?? configMapKeyRef
  if (reference === undefined) return variable.value ?? ""
  const value = read(lookup, resource, reference)?.[reference.key]
  if (value === undefined && reference.optional !== true) {
    const { namespace } = pod.metadata
    const noun = resource === "secrets" ? "Secret" : "ConfigMap"
    throw new ConfigProblem(`couldn't find key ${reference.key} in ${noun} ${namespace}/${reference.name}`)
  }
  return value
}

export const resolve = (pod: KubeObject, container: Container, lookup: Lookup): Env => {
  const env: Record<string, string> = {}
  for (const source of container.envFrom ?? []) {
    if (source.configMapRef !== undefined) Object.assign(env, read(lookup, "configmaps", source.configMapRef))
    if (source.secretRef !== undefined) Object.assign(env, read(lookup, "secrets", source.secretRef))
  }
  for (const variable of container.env ?? []) {
    const value = valueOf(pod, variable, lookup)
    if (value !== undefined)
      env[variable.name] = variable.valueFrom === undefined ? expand(value, env) : value
  }
  return env
}

/** `$(NAME)` becomes its value where there is one; `$$(NAME)` becomes `$(NAME)`. */
export const expand = (text: string, env: Env): string =>
  text.replaceAll(/\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)/g, (match, name: string | undefined) =>
    name === undefined ? "$" : (env[name] ?? match)
  )
