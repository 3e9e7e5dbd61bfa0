/** Kubernetes' reason words and message texts, sorted into what they mean. Recorded from 1.34, the rest from its source. Pure. */

/** Waiting reasons while an image is fetched. */
export const PULLING: ReadonlySet<string> = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "RegistryUnavailable",
  "ImageInspectError"
])

/** Waiting reasons that no waiting cures. */
export const IMAGE_IMPOSSIBLE: ReadonlySet<string> = new Set([
  "InvalidImageName",
  "ErrImageNeverPull",
  "SignatureValidationFailed"
])

/** The registry or the kubelet says: not now. */
export const isPassingPullProblem = (message: string): boolean =>
  /pull QPS exceeded|429|toomanyrequests|timeout|timed out|deadline exceeded|\b50[0-9]\b|TLS handshake/i.test(
    message
  )

/** The registry says: there is none, or not for you. */
export const isFinalPullProblem = (message: string): boolean =>
  /not found|manifest unknown|unauthorized|denied|no match for platform|does not exist/i.test(message) &&
  !isPassingPullProblem(message)

/** The container runtime says: not now. */
export const isPassingCreateProblem = (message: string): boolean =>
  /context deadline exceeded|failed to reserve container name/.test(message)

/** status.reason of a Pod that a node would not take. */
export const isAdmissionReason = (reason: string): boolean =>
  reason.startsWith("OutOf") ||
  [
    "UnexpectedAdmissionError",
    "NodeAffinity",
    "NodeSelectorMismatching",
    "TopologyAffinityError",
    "SMTAlignmentError",
    "NodePorts",
    "PodOSNotSupported",
    "PodOSSelectorNodeLabelDoesNotMatch"
  ].includes(reason)

/** status.reason of a Pod that its node gave up. */
export const NODE_SHUTDOWN: ReadonlySet<string> = new Set(["Terminated", "Shutdown", "NodeShutdown"])

/** An eviction for the Pod's own use of disk: of a volume, of all its containers, of one (kubelet, eviction_manager.go). */
export const isOwnStorageLimit = (message: string): boolean =>
  /exceeds the (?:total )?limit|exceeded its local ephemeral storage limit/.test(message)

/** Exit codes that a shell or runtime gives to a command it cannot run. */
export const CANNOT_RUN: ReadonlySet<string> = new Set(["StartError", "ContainerCannotRun"])
