/** One check, one sync, and the same Pod without a worker; when each step of them happened. */
import { createHash, randomBytes } from "node:crypto"
import { mkdir, readdir, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { PodObject } from "../cluster/Client.ts"
import type { World } from "./Measured.ts"
import { WORKFLOW_ID } from "./PodTimes.ts"

const RUN = randomBytes(3).toString("hex")
let runs = 0
const newId = (prefix: string): string => `${prefix}-${RUN}-${(runs += 1)}`

/** All times in milliseconds since the epoch. */
export interface Run {
  readonly workflowId: string
  readonly started: number
  /** The Pod reached a watcher. */
  readonly created: number
  /** The connector's last write, just before it ends. */
  readonly exited: number
  /** The Pod's status with that end reached a watcher. */
  readonly reported: number
  /** The phase reached a watcher, where the Pod lived that long. */
  readonly ended: number | undefined
  readonly gone: number | undefined
  /** Each activity's end, in order. */
  readonly activities: ReadonlyArray<{
    readonly scheduled: number
    readonly started: number
    readonly completed: number
  }>
  readonly closed: number
  /** The state is in Postgres; a sync's only. */
  readonly saved?: number
}

/** The connector's own log, whose last line is written as it ends. */
const lastWrite = async (directory: string): Promise<number> => {
  const logs = join(directory, "logs")
  const [run = ""] = await readdir(logs)
  const { mtimeNs } = await stat(join(logs, run, "olake.log"), { bigint: true })
  return Number(mtimeNs / 1000n) / 1000
}

interface Timestamp {
  readonly seconds?: { toNumber(): number } | null
  readonly nanos?: number | null
}
const millis = (time: Timestamp | null | undefined): number =>
  (time?.seconds?.toNumber() ?? Number.NaN) * 1000 + (time?.nanos ?? 0) / 1e6

/** The steps of a closed workflow, by Temporal's own clock. */
const stepsOf = async ({ client }: World, workflowId: string) => {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory()
  const all = events ?? []
  const activities = all.flatMap((event) => {
    const scheduled = event.activityTaskScheduledEventAttributes
    if (!scheduled) return []
    const same = (id: unknown) => String(id) === String(event.eventId)
    const start = all.find(({ activityTaskStartedEventAttributes: it }) => it && same(it.scheduledEventId))
    const end = all.find(({ activityTaskCompletedEventAttributes: it }) => it && same(it.scheduledEventId))
    return [
      {
        scheduled: millis(event.eventTime),
        started: millis(start?.eventTime),
        completed: millis(end?.eventTime)
      }
    ]
  })
  return { started: millis(all[0]?.eventTime), activities, closed: millis(all.at(-1)?.eventTime) }
}

const finished = async (world: World, workflowId: string, directory: string): Promise<Run> => {
  const steps = await stepsOf(world, workflowId)
  // The workflow can be faster than the watcher.
  const { seen } = await world.pods.until(workflowId, "terminated")
  return {
    workflowId,
    ...steps,
    created: seen.created ?? Number.NaN,
    exited: await lastWrite(join(world.storage, directory)),
    reported: seen.terminated ?? Number.NaN,
    ended: seen.ended,
    gone: seen.gone
  }
}

const CONFIG = JSON.stringify({ scenario: "ok-check" })

export const check = async (world: World): Promise<Run> => {
  const workflowId = newId("test-connection-probe")
  const params = {
    SourceType: "probe",
    Version: "v0.0.0-dev",
    Config: CONFIG,
    SourceID: 0,
    Command: "",
    DestConfig: "",
    DestID: 0,
    WorkflowID: workflowId,
    StreamsConfig: "",
    Flag: "config"
  }
  await world.client.workflow.execute("TestConnectionWorkflow", {
    args: [params],
    workflowId,
    taskQueue: world.taskQueue
  })
  return finished(world, workflowId, workflowId)
}

export const startSync = async (world: World, jobId: number): Promise<string> => {
  const workflowId = newId(`sync-123-${jobId}`)
  await world.client.workflow.start("RunSyncWorkflow", {
    args: [jobId],
    workflowId,
    taskQueue: world.taskQueue
  })
  return workflowId
}

export const sync = async (world: World, jobId: number): Promise<Run> => {
  const workflowId = await startSync(world, jobId)
  await world.client.workflow.getHandle(workflowId).result()
  const saved = await world.savedAt(jobId)
  return {
    ...(await finished(world, workflowId, createHash("sha256").update(workflowId).digest("hex"))),
    saved
  }
}

export interface Floor {
  /** From the POST to the answer of the DELETE, with a watch's news of the end between them. */
  readonly whole: number
  /** From the connector's last write to that news. */
  readonly report: number
}

/** The Pod that the worker made, as it would be sent again; under no label that the worker watches. */
const again = ({ metadata, spec }: PodObject, name: string): unknown => {
  const { nodeName: _, ...rest } = spec
  const directory = spec.containers[0]?.volumeMounts?.find(({ subPath }) => subPath)?.subPath ?? ""
  const { "app.kubernetes.io/managed-by": __, ...labels } = metadata.labels ?? {}
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels, annotations: { ...metadata.annotations, [WORKFLOW_ID]: name } },
    spec: JSON.parse(JSON.stringify(rest).replaceAll(directory, name)) as unknown
  }
}

/** What the cluster takes for the Pod of a check when nothing but a bare client stands before it. */
export const floor = async (
  world: World,
  like: Run,
  /** When it is deleted: as a check's, with the news of the exit, or as a sync's, with the phase. */
  deletedWhen: "terminated" | "ended" = "terminated"
): Promise<Floor> => {
  const { api, namespace, pods, storage } = world
  const model = pods.of(like.workflowId)?.pod
  if (model === undefined) throw new Error(`the Pod of ${like.workflowId} was not seen`)
  const name = newId("floor")
  await mkdir(join(storage, name))
  await writeFile(join(storage, name, "config.json"), CONFIG)
  const path = `/api/v1/namespaces/${namespace}/pods`
  const begin = performance.now()
  await api.call("POST", path, again(model, name))
  const { seen } = await pods.until(name, deletedWhen)
  await api.call("DELETE", `${path}/${name}`)
  const whole = performance.now() - begin
  return { whole, report: (seen.terminated ?? Number.NaN) - (await lastWrite(join(storage, name))) }
}
