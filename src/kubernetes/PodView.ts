export const MAIN_CONTAINER = "connector"
export interface PodJson { readonly metadata: { name: string; namespace: string; uid: string; resourceVersion?: string; labels?: Record<string, string>; annotations?: Record<string, string>; deletionTimestamp?: string }; readonly spec?: any; readonly status?: any }
export interface ContainerView { readonly name: string; readonly state: string; readonly exitCode?: number; readonly message?: string; readonly startedAt?: number }
export interface PodView { readonly name: string; readonly uid: string; readonly phase: string; readonly node?: string; readonly labels: Record<string, string>; readonly annotations: Record<string, string>; readonly deletionTimestamp?: number; readonly containers: ReadonlyArray<ContainerView> }
export const fromPod = (p: PodJson): PodView => ({ name: p.metadata.name, uid: p.metadata.uid, phase: p.status?.phase ?? "", labels: p.metadata.labels ?? {}, annotations: p.metadata.annotations ?? {}, ...(p.metadata.deletionTimestamp ? { deletionTimestamp: Date.parse(p.metadata.deletionTimestamp) } : {}), containers: (p.status?.containerStatuses ?? []).map((c: any) => ({ name: c.name, state: Object.keys(c.state ?? {})[0] ?? "unknown", exitCode: c.state?.terminated?.exitCode, message: c.state?.terminated?.message, startedAt: Date.parse(c.state?.terminated?.startedAt) })) })

/** All containers have ended: nothing of this Pod can still write. */
export const hasEnded = (view: PodView): boolean => view.phase === "Succeeded" || view.phase === "Failed"
