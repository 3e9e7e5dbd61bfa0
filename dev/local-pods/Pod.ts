/** The slice of a Pod's spec that a local process can honour. */
import * as Schema from "effect/Schema"
import type { KubeObject } from "./api/Objects.ts"

const KeyRef = Schema.Struct({
  name: Schema.String,
  key: Schema.String,
  optional: Schema.optionalKey(Schema.Boolean)
})
const ObjectRef = Schema.Struct({ name: Schema.String, optional: Schema.optionalKey(Schema.Boolean) })

const EnvVar = Schema.Struct({
  name: Schema.String,
  value: Schema.optionalKey(Schema.String),
  valueFrom: Schema.optionalKey(
    Schema.Struct({
      secretKeyRef: Schema.optionalKey(KeyRef),
      configMapKeyRef: Schema.optionalKey(KeyRef),
      fieldRef: Schema.optionalKey(Schema.Struct({ fieldPath: Schema.String }))
    })
  )
})

const Container = Schema.Struct({
  name: Schema.String,
  image: Schema.String,
  command: Schema.optionalKey(Schema.Array(Schema.String)),
  args: Schema.optionalKey(Schema.Array(Schema.String)),
  env: Schema.optionalKey(Schema.Array(EnvVar)),
  envFrom: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({ secretRef: Schema.optionalKey(ObjectRef), configMapRef: Schema.optionalKey(ObjectRef) })
    )
  ),
  volumeMounts: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        name: Schema.String,
        mountPath: Schema.String,
        subPath: Schema.optionalKey(Schema.String)
      })
    )
  ),
  terminationMessagePolicy: Schema.optionalKey(Schema.String)
})
export type Container = typeof Container.Type

const Volume = Schema.Struct({
  name: Schema.String,
  persistentVolumeClaim: Schema.optionalKey(Schema.Struct({ claimName: Schema.String })),
  emptyDir: Schema.optionalKey(Schema.Unknown),
  secret: Schema.optionalKey(
    Schema.Struct({ secretName: Schema.String, optional: Schema.optionalKey(Schema.Boolean) })
  ),
  configMap: Schema.optionalKey(ObjectRef)
})
export type Volume = typeof Volume.Type

export const PodSpec = Schema.Struct({
  containers: Schema.NonEmptyArray(Container),
  volumes: Schema.optionalKey(Schema.Array(Volume)),
  activeDeadlineSeconds: Schema.optionalKey(Schema.Finite),
  terminationGracePeriodSeconds: Schema.optionalKey(Schema.Finite)
})
export type PodSpec = typeof PodSpec.Type

/** Stored Pods have passed this when they were created. */
export const specOf = (pod: KubeObject): PodSpec => Schema.decodeUnknownSync(PodSpec)(pod["spec"])

export const phaseOf = (pod: KubeObject): string => {
  const status = pod["status"]
  return typeof status === "object" && status !== null && "phase" in status ? String(status.phase) : ""
}

export const isTerminal = (pod: KubeObject): boolean => ["Succeeded", "Failed"].includes(phaseOf(pod))
