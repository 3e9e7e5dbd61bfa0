/**
 * The worker before this one, as far as a takeover meets it: it answers a workflow task and starts the activity with the
 * commands that its recorded histories show (test/fixtures/histories/go), makes the Pod that was recorded of it
 * (test/fixtures/go), and is gone.
 */
import { loadYaml, type V1Pod } from "@kubernetes/client-node"
import { Connection } from "@temporalio/client"
import type { temporal } from "@temporalio/proto"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { directoryOf } from "./Runs.ts"

const { temporal: proto } = createRequire(import.meta.url)("@temporalio/proto") as {
  temporal: typeof temporal
}
const { CommandType } = proto.api.enums.v1

const payload = (value: unknown, metadata: Readonly<Record<string, string>> = {}) => ({
  metadata: Object.fromEntries(
    Object.entries({ encoding: "json/plain", ...metadata }).map(([key, text]) => [key, Buffer.from(text)])
  ),
  data: Buffer.from(JSON.stringify(value))
})

const sdkMetadata = { langUsedFlags: [3], sdkName: "temporal-go", sdkVersion: "1.36.0" }

const HEARTBEAT = 30
/** Of the attempt that vanishes: shorter, for the test's sake. */
const SOON_LOST = 2

const seconds = (count: number) => ({ seconds: count }) as never // SAFETY: protobufjs takes numbers where its types say Long

const activityCommand = (
  type: string,
  id: string,
  taskQueue: string,
  heartbeat: number,
  ...argumentsOf: ReadonlyArray<unknown>
) => ({
  commandType: CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
  scheduleActivityTaskCommandAttributes: {
    activityId: id,
    activityType: { name: type },
    taskQueue: { name: taskQueue },
    input: { payloads: argumentsOf.map((argument) => payload(argument)) },
    scheduleToCloseTimeout: seconds(0),
    scheduleToStartTimeout: seconds(0),
    startToCloseTimeout: seconds(2_592_000),
    heartbeatTimeout: seconds(heartbeat),
    retryPolicy: {
      initialInterval: seconds(5),
      backoffCoefficient: 2,
      maximumInterval: seconds(300),
      maximumAttempts: 0
    }
  }
})

/**
 * Takes the workflow's first task and the first attempt of its activity, and then no longer answers.
 * @param status where given, it answers that too, and asks for the cleanup of a sync that ended so
 */
export const beginAndVanish = (
  address: string,
  taskQueue: string,
  activity: "SyncActivity" | "ExecuteActivity",
  request: { readonly command: string; readonly workflow_id: string },
  status?: string
) =>
  Effect.promise(async () => {
    const connection = await Connection.connect({ address })
    const begin = async () => {
      const { workflowService } = connection
      const common = { namespace: "default", taskQueue: { name: taskQueue }, identity: "9791@vm@" }
      const task = await workflowService.pollWorkflowTaskQueue(common)
      await workflowService.respondWorkflowTaskCompleted({
        taskToken: task.taskToken,
        identity: common.identity,
        sdkMetadata,
        commands: [
          {
            commandType: CommandType.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
            upsertWorkflowSearchAttributesCommandAttributes: {
              searchAttributes: {
                indexedFields: { OperationType: payload(request.command, { type: "Keyword" }) }
              }
            }
          },
          activityCommand(activity, "6", taskQueue, SOON_LOST, request)
        ]
      })
      const { taskToken } = await workflowService.pollActivityTaskQueue(common)
      if (status === undefined) return
      await workflowService.respondActivityTaskCompleted({
        taskToken,
        identity: common.identity,
        result: { payloads: [payload({ response: "" })] }
      })
      const next = await workflowService.pollWorkflowTaskQueue(common)
      await workflowService.respondWorkflowTaskCompleted({
        taskToken: next.taskToken,
        identity: common.identity,
        sdkMetadata,
        commands: [activityCommand("PostSyncActivity", "12", taskQueue, HEARTBEAT, request, status)]
      })
    }
    await connection.withDeadline(Date.now() + 15_000, begin).finally(() => connection.close())
  })

const recorded = loadYaml<V1Pod>(
  fs.readFileSync(fileURLToPath(new URL("../../fixtures/go/sync-running.yaml", import.meta.url)), "utf8")
)

/** Its Pod for a run, as it would have sent it to the API server. */
export const podOf = (run: {
  readonly workflowId: string
  readonly jobId: number
  readonly command: "sync" | "clear-destination"
  readonly image: string
  readonly claim: string
}): V1Pod => {
  const { metadata, spec } = structuredClone(recorded)
  const [container] = spec?.containers ?? []
  const own = {
    "olake.io/job-id": String(run.jobId),
    "olake.io/operation-type": run.command,
    "olake.io/workflow-id": run.workflowId
  }
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: run.workflowId,
      labels: { ...metadata?.labels, ...own },
      annotations: { ...metadata?.annotations, ...own }
    },
    spec: {
      restartPolicy: "Never",
      containers: [
        {
          name: "connector",
          image: run.image,
          args: [
            run.command,
            "--config",
            "/mnt/config/source.json",
            "--destination",
            "/mnt/config/destination.json"
          ],
          env: container?.env ?? [],
          ...(container?.envFrom === undefined ? {} : { envFrom: container.envFrom }),
          volumeMounts: [
            { name: "job-storage", mountPath: "/mnt/config", subPath: directoryOf(run.workflowId) }
          ]
        }
      ],
      volumes: [{ name: "job-storage", persistentVolumeClaim: { claimName: run.claim } }]
    }
  }
}

/** Its files of a run: in clear text, for everybody. */
export const writeFiles = (
  storage: string,
  workflowId: string,
  files: Readonly<Record<string, unknown>>
): string => {
  const folder = path.join(storage, directoryOf(workflowId))
  fs.mkdirSync(folder)
  for (const [name, content] of Object.entries(files)) {
    fs.writeFileSync(path.join(folder, name), JSON.stringify(content))
  }
  return folder
}
