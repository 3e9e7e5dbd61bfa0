/** A Pod as the API server sends it, as far as it is read. Types only. */

interface ContainerStateJson {
  readonly waiting?: { readonly reason?: string; readonly message?: string }
  readonly running?: { readonly startedAt?: string }
  readonly terminated?: {
    readonly exitCode: number
    readonly signal?: number
    readonly reason?: string
    readonly message?: string
    readonly startedAt?: string | null
    readonly finishedAt?: string | null
  }
}

export interface ContainerStatusJson {
  readonly name: string
  readonly restartCount?: number
  readonly state?: ContainerStateJson
  readonly lastState?: ContainerStateJson
}

/** The part of a Pod, as the API server sends it, that is read here. */
export interface PodJson {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly resourceVersion?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly creationTimestamp?: string
    readonly deletionTimestamp?: string
    readonly deletionGracePeriodSeconds?: number
    readonly finalizers?: ReadonlyArray<string>
  }
  readonly spec?: {
    readonly nodeName?: string
    readonly volumes?: ReadonlyArray<{ readonly persistentVolumeClaim?: { readonly claimName: string } }>
    readonly activeDeadlineSeconds?: number
    readonly containers?: ReadonlyArray<{
      readonly name: string
      readonly image?: string
      readonly resources?: {
        readonly requests?: Readonly<Record<string, string>>
        readonly limits?: Readonly<Record<string, string>>
      }
    }>
  }
  readonly status?: {
    readonly phase?: string
    readonly reason?: string
    readonly message?: string
    readonly startTime?: string | null
    readonly conditions?: ReadonlyArray<{
      readonly type: string
      readonly status: string
      readonly reason?: string
      readonly message?: string
      readonly lastTransitionTime?: string | null
    }>
    readonly containerStatuses?: ReadonlyArray<ContainerStatusJson>
    readonly initContainerStatuses?: ReadonlyArray<ContainerStatusJson>
  }
}
