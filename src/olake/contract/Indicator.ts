/**
 * IndicatorWorkflow: OLake's UI, where it takes its sources and jobs from ConfigMaps and Secrets (GitOps), has a failed Pod
 * shown beside the object that it cannot use. Written by Go; what is not needed may be absent.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const text = Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("")))

const PodName = Schema.String.check(
  Schema.makeFilter(
    (name) =>
      (name.length <= 253 && /^[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?$/.test(name)) ||
      "must be a Pod's name: lower-case letters, digits, `-` and `.`"
  )
)

export const IndicatorRequest = Schema.Struct({
  action: Schema.Literals(["spawn", "delete"]),
  name: PodName,
  /** Empty for the namespace of the jobs. */
  namespace: text,
  /** Of OLake: source, destination, job or streams. */
  kind: text,
  /** The ConfigMap or Secret that the message is about. */
  resource_name: text,
  /** The same in earlier versions of the UI. */
  cr_name: text,
  /** What is wrong with it; for `spawn`. */
  message: text
})
export type IndicatorRequest = typeof IndicatorRequest.Type
