/**
 * The Pod that shows an error of GitOps in `kubectl get pods`: it prints the error and fails. It is none of the worker's
 * own, since no run waits for it. Pure.
 */
import type { V1Pod } from "@kubernetes/client-node"
import type { WorkerConfig } from "../../Config.ts"
import type { IndicatorRequest } from "../../olake/contract/Indicator.ts"
import { oneLine } from "../../Text.ts"
import { INDICATOR_LABEL, labelValue } from "./PodIdentity.ts"
import { inRegistry, pullSecretsOf, unexpanded } from "./PodSpec.ts"

const IMAGE = "busybox:1.36.1"
const VARIABLE = "OLAKE_ERROR"

/** Bytes of a termination message, and characters of the annotation. */
const LONGEST_MESSAGE = 4096
const LONGEST_ANNOTATION = 1024

/** No half a character at the end. */
const cut = (text: string, most: number): string => {
  const bytes = Buffer.from(text)
  return bytes.length <= most
    ? text
    : bytes
        .subarray(0, most)
        .toString("utf8")
        .replace(/\uFFFD+$/, "")
}

/** Nobody's account of the image: any that is not root, unless the installation has its own. */
const NOBODY = { runAsNonRoot: true, runAsUser: 65534, runAsGroup: 65534 }

export const isIndicator = (labels: Readonly<Record<string, string>> = {}): boolean =>
  labels[INDICATOR_LABEL] === "true"

/** @param message with no secret in it */
export const indicatorPod = (
  { name, kind, resource_name, cr_name }: IndicatorRequest,
  message: string,
  namespace: string,
  jobs: Pick<WorkerConfig["Service"]["jobs"], "imagePullSecrets" | "podSecurityContext" | "registryBase">
): V1Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name,
    namespace,
    labels: {
      [INDICATOR_LABEL]: "true",
      "olake.io/kind": labelValue(kind),
      "olake.io/resource": labelValue(resource_name || cr_name),
      "olake.io/phase": "Failed"
    },
    annotations: { "olake.io/error": oneLine(message, LONGEST_ANNOTATION) }
  },
  spec: {
    restartPolicy: "Never",
    // The next one has the same name, and should not have to wait for it.
    terminationGracePeriodSeconds: 0,
    enableServiceLinks: false,
    automountServiceAccountToken: false,
    ...pullSecretsOf(jobs),
    securityContext: { seccompProfile: { type: "RuntimeDefault" }, ...(jobs.podSecurityContext ?? NOBODY) },
    containers: [
      {
        name: "indicator",
        image: inRegistry(IMAGE, jobs.registryBase),
        imagePullPolicy: "IfNotPresent",
        command: ["sh", "-c", `printf '%s\\n' "$${VARIABLE}" | tee /dev/termination-log >&2; exit 1`],
        env: [{ name: VARIABLE, value: unexpanded(cut(message, LONGEST_MESSAGE)) }],
        resources: { requests: { cpu: "1m", memory: "4Mi" }, limits: { cpu: "10m", memory: "16Mi" } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] }
        }
      }
    ]
  }
})
