/** A run of the connector that only says its specification: what the doctor tries Pods with. Pure. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Job, Operation } from "../../olake/Job.ts"

/** A connector and its version, as in `olakego/source-<connector>:<version>`. */
export interface Image {
  readonly connector: string
  readonly version: string
}

/** None where the text names none. */
export const parseImage = (text: string): Option.Option<Image> => {
  const [, connector, version] = /^(?:source-)?([a-z0-9][a-z0-9-]*):([\w][\w.-]*)$/.exec(text) ?? []
  return connector === undefined || version === undefined
    ? Option.none()
    : Option.some({ connector, version })
}

export const DEFAULT_IMAGE = "postgres:latest"

/** @param id of this doctor's run; the directory of the Pod is called so. */
export const sampleJob = (image: Image, id: string, operation: Operation = "spec", jobId = 0): Job => ({
  ...image,
  operation,
  args: ["spec"],
  secretKey: undefined,
  directory: id,
  files: [],
  jobId,
  run: { temporalNamespace: "", taskQueue: "", workflowId: id, runId: id },
  temporalNamespaceId: "",
  timeout: Duration.minutes(10)
})
