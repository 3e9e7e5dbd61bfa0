/** What may end a sync's Pod, brought about on a real cluster; and the class of failure that the worker made of each. */
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { ofWriter } from "../../src/olake/Workdir.ts"
import { until } from "../cluster/Place.ts"
import { freePort } from "../world/FreePort.ts"
import { startReadyWorker } from "../world/Worker.ts"
import { type ClusterWorld, crowdedWorld } from "../world/World.ts"
import { emptyRegistry } from "./EmptyRegistry.ts"
import { deletePods, evict, loseNode, podsOf, preempt, type Provoke } from "./Provoke.ts"

interface Cause {
  readonly name: string
  readonly expected: string
  readonly scenario: string
  /** Whether its image is looked for where there is none. */
  readonly isMissing?: true
  /** What is done once the connectors run; nothing where they fail by themselves. */
  readonly provoke?: Provoke
}

const CAUSES: ReadonlyArray<Cause> = [
  { name: "exit 1", expected: "ConnectorFailed", scenario: "exit-1" },
  { name: "out of memory", expected: "OOM", scenario: "oom" },
  { name: "image missing", expected: "ImageUnpullable", scenario: "ok", isMissing: true },
  { name: "deleted", expected: "DeletedExternally", scenario: "sleep", provoke: deletePods },
  { name: "evicted", expected: "Evicted", scenario: "sleep", provoke: evict },
  { name: "preempted", expected: "Preempted", scenario: "sleep", provoke: preempt },
  { name: "node gone", expected: "NodeLost", scenario: "sleep", provoke: loseNode }
]

/** These touch every Pod of the namespace. */
const takesAll = ({ provoke }: Cause) => provoke === preempt || provoke === loseNode

export interface Row {
  readonly cause: string
  readonly expected: string
  /** How often each class was given. */
  readonly given: ReadonlyMap<string, number>
}

export const isRight = ({ expected, given }: Row): boolean => given.size === 1 && given.has(expected)

/** A connector is there, and hears SIGTERM. */
const hasBegun = (world: ClusterWorld, workflowId: string): boolean => {
  try {
    return readFileSync(join(world.storage, ofWriter(workflowId), "state.json"), "utf8").includes("0/1")
  } catch {
    return false
  }
}

interface Failure {
  readonly cause?: Failure | null
  readonly applicationFailureInfo?: { readonly type?: string | null } | null
}

const typeOf = ({ cause, applicationFailureInfo: info }: Failure): string =>
  cause == null ? (info?.type ?? "none") : typeOf(cause)

/** The class of the run's first failure; none while it has none. */
const classOf = async (world: ClusterWorld, workflowId: string): Promise<string | undefined> => {
  const { events } = await world.client.workflow.getHandle(workflowId).fetchHistory()
  const failed = events?.find(({ activityTaskFailedEventAttributes: found }) => found != null)
  const failure = failed?.activityTaskFailedEventAttributes?.failure
  return failure == null ? undefined : typeOf(failure)
}

const CLASS_SECONDS = 150

/** Of a worker with a registry of its own. */
const REGISTRY_QUEUE = "olake-registry"

const tryCause = async (world: ClusterWorld, cause: Cause, runs: number): Promise<Row> => {
  const { name, expected, scenario, isMissing, provoke } = cause
  const begin = async (): Promise<string> => {
    const jobId = await world.newJob({ scenario })
    const workflowId = `sync-123-${jobId}`
    const request = { command: "sync", job_id: jobId, workflow_id: workflowId, project_id: "123" }
    await world.client.workflow.start("RunSyncWorkflow", {
      workflowId,
      taskQueue: isMissing ? REGISTRY_QUEUE : world.taskQueue,
      args: [request]
    })
    return workflowId
  }
  const ids = await Promise.all(Array.from({ length: runs }, begin))
  if (provoke !== undefined) {
    await until(`${name}: all connectors run`, () => Promise.resolve(ids.every((id) => hasBegun(world, id))))
    const pods = await podsOf(world, ids)
    await Effect.runPromise(provoke(world, pods))
  }
  const given = new Map<string, number>()
  for (const id of ids) {
    let found: string | undefined
    await until(
      `${name}: ${id} has failed`,
      async () => (found = await classOf(world, id)) !== undefined,
      CLASS_SECONDS
    )
    given.set(found ?? "none", (given.get(found ?? "none") ?? 0) + 1)
  }
  // Those that would go on in another Pod.
  await Promise.all(
    ids.map(async (id) => {
      const handle = world.client.workflow.getHandle(id)
      await handle.cancel().catch(() => undefined) // over already
      await handle.result().catch(() => undefined) // failed, or cancelled
    })
  )
  return { cause: name, expected, given }
}

export interface CausesOptions {
  /** Of each cause. */
  readonly runs: number
  readonly workerLog?: string
}

export const tryCauses = Effect.fnUntraced(function* ({ runs, workerLog: logFile }: CausesOptions) {
  const world = yield* crowdedWorld("olake-causes")
  yield* startReadyWorker({ ...world.env, JOB_MEMORY_LIMIT: "64Mi" }, { logFile })
  const other = {
    POD_NAME: "causes-registry",
    TEMPORAL_TASK_QUEUE: REGISTRY_QUEUE,
    CONTAINER_REGISTRY_BASE: yield* emptyRegistry,
    HEALTH_PORT: String(yield* Effect.promise(freePort))
  }
  yield* startReadyWorker({ ...world.env, ...other }, { logFile })
  return yield* Effect.promise(async () => {
    const rows = await Promise.all(
      CAUSES.filter((cause) => !takesAll(cause)).map((cause) => tryCause(world, cause, runs))
    )
    for (const cause of CAUSES.filter(takesAll)) rows.push(await tryCause(world, cause, runs))
    return rows
  })
})
