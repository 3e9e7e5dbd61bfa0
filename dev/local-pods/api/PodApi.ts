/** What the API server does for Pods and their like beyond storing them: creation, deletion, patches, logs. */
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { mergePatch } from "./MergePatch.ts"
import { ApiRefusal, badRequest, KINDS, type KubeObject, type Resource, timestamp } from "./Objects.ts"
import type { ObjectStore } from "./ObjectStore.ts"
import { isTerminal, PodSpec, specOf } from "../Pod.ts"
import type { PodLog } from "../PodProcess.ts"
import { created } from "../PodStatus.ts"

const DEFAULT_GRACE_SECONDS = 30

const encoded = (entries: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(Object(entries)).map(([key, value]) => [
      key,
      Buffer.from(String(value)).toString("base64")
    ])
  )

/** A new Pod is Pending; a Secret's stringData becomes data. */
export const admit = (resource: Resource, body: object): object => {
  if (resource === "pods") {
    const spec = "spec" in body ? body.spec : undefined
    if (Exit.isFailure(Schema.decodeUnknownExit(PodSpec)(spec))) {
      throw badRequest('Pod in version "v1" cannot be handled as a Pod: spec does not decode')
    }
    const defaults = { restartPolicy: "Always", terminationGracePeriodSeconds: DEFAULT_GRACE_SECONDS }
    return { ...body, spec: { ...defaults, ...Object(spec) }, status: created }
  }
  if (resource === "secrets" && "stringData" in body) {
    const { stringData, ...rest } = body
    const data = "data" in rest ? rest.data : {}
    return { type: "Opaque", ...rest, data: { ...Object(data), ...encoded(stringData) } }
  }
  return body
}

export const DeleteOptions = Schema.Struct({
  gracePeriodSeconds: Schema.optionalKey(Schema.Finite),
  preconditions: Schema.optionalKey(
    Schema.Struct({
      uid: Schema.optionalKey(Schema.String),
      resourceVersion: Schema.optionalKey(Schema.String)
    })
  )
})

/** A Pod on a node is marked and left to the kubelet; everything else, and a Pod that is over, goes at once. */
export const remove = (
  store: ObjectStore,
  resource: Resource,
  object: KubeObject,
  options: typeof DeleteOptions.Type
): unknown => {
  const { metadata } = object
  store.check(resource, object, options.preconditions ?? {})
  if (resource !== "pods") {
    store.remove(resource, metadata)
    const details = { name: metadata.name, kind: resource, uid: metadata.uid }
    return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details }
  }
  const grace =
    options.gracePeriodSeconds ?? specOf(object).terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS
  const isScheduled = typeof Object(object["spec"]).nodeName === "string"
  if (grace === 0 || isTerminal(object) || !isScheduled) {
    store.remove(resource, metadata)
    return object
  }
  if (metadata.deletionTimestamp !== undefined && grace >= (metadata.deletionGracePeriodSeconds ?? 0))
    return object
  return store.update(resource, metadata, (pod) => ({
    ...pod,
    metadata: {
      ...pod.metadata,
      deletionTimestamp: timestamp(Date.now() + grace * 1000),
      deletionGracePeriodSeconds: grace
    }
  }))
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

/** A merge patch; identity and status are the server's. The last finalizer's removal lets a marked object go. */
export const patch = (
  store: ObjectStore,
  resource: Resource,
  object: KubeObject,
  body: object
): KubeObject => {
  const { metadata } = object
  const wanted = "metadata" in body && isObject(body.metadata) ? body.metadata : {}
  store.check(resource, object, {
    uid: "uid" in wanted ? String(wanted.uid) : undefined,
    resourceVersion: "resourceVersion" in wanted ? String(wanted.resourceVersion) : undefined
  })
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata
  const changed = store.update(resource, metadata, (old) => {
    const merged = Object(mergePatch(old, admitPatch(resource, body)))
    return {
      ...merged,
      kind: KINDS[resource],
      apiVersion: "v1",
      ...(resource === "pods" ? { status: old["status"] } : {}),
      metadata: { ...merged.metadata, name, namespace, uid, resourceVersion, creationTimestamp }
    }
  })
  if (changed === undefined) throw new ApiRefusal(500, "InternalError", "the object vanished")
  const { deletionGracePeriodSeconds, finalizers = [] } = changed.metadata
  if (deletionGracePeriodSeconds === 0 && finalizers.length === 0) store.remove(resource, changed.metadata)
  return changed
}

const admitPatch = (resource: Resource, body: object): object =>
  resource === "secrets" && "stringData" in body ? admit(resource, body) : body

/** The container's output, or the refusal for one that has not begun. */
export const logText = (pod: KubeObject, log: PodLog | undefined, query: URLSearchParams): string => {
  const status = Object(pod["status"])
  const waiting = status.containerStatuses?.[0]?.state?.waiting
  if (status.containerStatuses === undefined || waiting !== undefined) {
    const container = specOf(pod).containers[0].name
    const why = waiting === undefined ? "" : ` is waiting to start: ${waiting.reason}`
    throw badRequest(`container "${container}" in pod "${pod.metadata.name}"${why || " is not available"}`)
  }
  let text = log?.bytes ?? Buffer.alloc(0)
  const tailLines = query.get("tailLines")
  if (tailLines !== null) {
    const lines = text.toString("utf8").split(/(?<=\n)/)
    text = Buffer.from(Number(tailLines) === 0 ? "" : lines.slice(-Number(tailLines)).join(""))
  }
  const limitBytes = query.get("limitBytes")
  return (limitBytes === null ? text : text.subarray(0, Number(limitBytes))).toString("utf8")
}
