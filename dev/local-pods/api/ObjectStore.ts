/** The objects of the server with resource versions, and a bounded history of their changes for watches. */
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import {
  alreadyExists,
  badRequest,
  conflict,
  expired,
  invalid,
  KINDS,
  type KubeObject,
  Manifest,
  notFound,
  type ObjectMeta,
  type Resource,
  timestamp
} from "./Objects.ts"
import type { Selector } from "./Selector.ts"

export interface Change {
  readonly type: "ADDED" | "MODIFIED" | "DELETED"
  readonly version: number
  readonly resource: Resource
  readonly object: KubeObject
  /** What it was before a modification. */
  readonly before: KubeObject | undefined
}

export interface Preconditions {
  readonly uid?: string | undefined
  readonly resourceVersion?: string | undefined
}

const HISTORY = 2000
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const NAME_TEXT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character " +
  "(e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

export class ObjectStore {
  #version = 1
  #history: Array<Change> = []
  /** Changes up to this version are forgotten. */
  #forgotten = 1
  readonly #objects = new Map<string, KubeObject>()
  readonly #unheard: Array<Change> = []
  readonly #listeners = new Set<(change: Change) => void>()

  get version(): number {
    return this.#version
  }

  find(resource: Resource, namespace: string, name: string): KubeObject | undefined {
    return this.#objects.get(`${resource}/${namespace}/${name}`)
  }

  get(resource: Resource, namespace: string, name: string): KubeObject {
    const object = this.find(resource, namespace, name)
    if (object === undefined) throw notFound(resource, name)
    return object
  }

  list(resource: Resource, namespace: string | undefined, selector: Selector): ReadonlyArray<KubeObject> {
    const prefix = namespace === undefined ? `${resource}/` : `${resource}/${namespace}/`
    return [...this.#objects.entries()]
      .filter(([key, object]) => key.startsWith(prefix) && selector(object))
      .map(([, object]) => object)
  }

  create(resource: Resource, namespace: string, body: object, dryRun: boolean): KubeObject {
    const kind = KINDS[resource]
    if (!Schema.is(Manifest)(body)) throw badRequest(`${kind} in version "v1" cannot be handled as a ${kind}`)
    const { generateName, name: given } = body.metadata
    const name = given ?? (generateName === undefined ? "" : `${generateName}${randomUUID().slice(0, 5)}`)
    if (!NAME.test(name) || name.length > 253) {
      throw invalid(kind, name, "metadata.name", `Invalid value: ${JSON.stringify(name)}: ${NAME_TEXT}`)
    }
    if (this.find(resource, namespace, name) !== undefined) throw alreadyExists(resource, name)
    const metadata: ObjectMeta = {
      ...body.metadata,
      name,
      namespace,
      uid: randomUUID(),
      resourceVersion: "0",
      creationTimestamp: timestamp()
    }
    const object = { ...body, apiVersion: "v1", kind, metadata }
    return dryRun ? object : this.#put("ADDED", resource, object, undefined)
  }

  /** Undefined, and nothing done, if the object of that uid is gone: for the kubelet. */
  update(
    resource: Resource,
    { namespace, name, uid }: ObjectMeta,
    change: (object: KubeObject) => KubeObject
  ): KubeObject | undefined {
    const before = this.find(resource, namespace, name)
    if (before === undefined || before.metadata.uid !== uid) return undefined
    return this.#put("MODIFIED", resource, change(before), before)
  }

  /** Takes it out, unless finalizers still hold it: then it stays marked. */
  remove(resource: Resource, { namespace, name, uid }: ObjectMeta): void {
    const before = this.find(resource, namespace, name)
    if (before === undefined || before.metadata.uid !== uid) return
    const metadata = {
      ...before.metadata,
      deletionTimestamp: before.metadata.deletionTimestamp ?? timestamp(),
      deletionGracePeriodSeconds: 0
    }
    const object = { ...before, metadata }
    if ((metadata.finalizers ?? []).length > 0) {
      this.#put("MODIFIED", resource, object, before)
      return
    }
    this.#put("DELETED", resource, object, before)
    this.#collect(uid)
  }

  /** What the garbage collector does a moment later: dependents go with their owner. */
  #collect(owner: string): void {
    for (const [key, { metadata }] of Array.from(this.#objects)) {
      // SAFETY: the resource is the key's first part, see #put.
      const resource = key.split("/")[0] as Resource
      if (metadata.ownerReferences?.some(({ uid }) => uid === owner)) this.remove(resource, metadata)
    }
  }

  check(resource: Resource, object: KubeObject, preconditions: Preconditions): void {
    const { name, uid, resourceVersion } = object.metadata
    const kind = KINDS[resource]
    if (preconditions.uid !== undefined && preconditions.uid !== uid) {
      const why = `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`
      throw conflict(kind, name, why)
    }
    if (preconditions.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
      throw conflict(
        resource,
        name,
        "the object has been modified; please apply your changes to the latest version and try again"
      )
    }
  }

  /** Every change after the version; refused with 410 where some of them are forgotten. */
  since(version: number): ReadonlyArray<Change> {
    if (version < this.#forgotten) throw expired(version, this.#forgotten)
    return this.#history.filter((change) => change.version > version)
  }

  /** Forgets all history, as etcd's compaction does: older watches answer 410. */
  compact(): void {
    this.#history = []
    this.#forgotten = this.#version
  }

  listen(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #put(
    type: Change["type"],
    resource: Resource,
    object: KubeObject,
    before: KubeObject | undefined
  ): KubeObject {
    const version = ++this.#version
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } }
    const key = `${resource}/${object.metadata.namespace}/${object.metadata.name}`
    if (type === "DELETED") this.#objects.delete(key)
    else this.#objects.set(key, stored)
    const change: Change = { type, version, resource, object: stored, before }
    this.#history.push(change)
    while (this.#history.length > HISTORY) this.#forgotten = this.#history.shift()?.version ?? this.#forgotten
    this.#announce(change)
    return stored
  }

  /** Everyone hears of changes in their order, also of those that a listener makes while it hears of one. */
  #announce(change: Change): void {
    this.#unheard.push(change)
    if (this.#unheard.length > 1) return
    for (let next = this.#unheard[0]; next !== undefined; next = this.#unheard[0]) {
      for (const listener of this.#listeners) listener(next)
      this.#unheard.shift()
    }
  }
}
