/** Starts workflows as OLake's UI does, through Temporal's own command line, and reads how they ended. */
import * as Effect from "effect/Effect"
import { World } from "./World.ts"

export interface Ended {
  readonly status: string
  readonly result: unknown
  /** The message of the cause, as Temporal's UI shows it. */
  readonly message: string
  readonly type: string
  readonly nonRetryable: boolean
  /** The whole history as text. */
  readonly history: string
}

interface FailureJson {
  readonly message?: string
  readonly cause?: FailureJson
  readonly applicationFailureInfo?: { readonly type?: string; readonly nonRetryable?: boolean }
}

const deepest = (failure: FailureJson): FailureJson =>
  failure.cause === undefined ? failure : deepest(failure.cause)

const numbered = { count: 0 }
/** An id that no other test uses. */
export const uniqueId = (prefix: string): string =>
  `${prefix}-${Date.now().toString(36)}-${(numbered.count += 1)}`

export const start = (type: string, workflowId: string, input: unknown) =>
  Effect.flatMap(World, ({ temporal, taskQueue }) =>
    temporal([
      "workflow",
      "start",
      "--task-queue",
      taskQueue,
      "--type",
      type,
      "--workflow-id",
      workflowId,
      "--input",
      JSON.stringify(input)
    ])
  )

/** Waits for the end of a workflow that was started. */
export const ended = (workflowId: string): Effect.Effect<Ended, never, World> =>
  Effect.gen(function* () {
    const { temporal } = yield* World
    const outcome = yield* temporal(["workflow", "result", "--workflow-id", workflowId, "-o", "json"])
    const { stdout: history } = yield* temporal([
      "workflow",
      "show",
      "--workflow-id",
      workflowId,
      "-o",
      "json"
    ])
    const { events } = JSON.parse(history) as {
      events: ReadonlyArray<Record<string, { failure?: FailureJson } & Record<string, unknown>>>
    }
    const last = events.at(-1) ?? {}
    const failure = deepest(last.workflowExecutionFailedEventAttributes?.failure ?? {})
    const parsed = JSON.parse(outcome.stdout || "{}") as { result?: unknown; status?: string }
    return {
      status: (typeof last.eventType === "string" ? last.eventType : "").replace(
        "EVENT_TYPE_WORKFLOW_EXECUTION_",
        ""
      ),
      result: parsed.result,
      message: failure.message ?? "",
      type: failure.applicationFailureInfo?.type ?? "",
      nonRetryable: failure.applicationFailureInfo?.nonRetryable ?? false,
      history
    }
  })

export const execute = (type: string, workflowId: string, input: unknown) =>
  Effect.andThen(start(type, workflowId, input), ended(workflowId))

/** ActivityParams as OLake's UI encodes them. */
export const params = (
  workflowId: string,
  connector: string,
  config: unknown,
  over: Readonly<Record<string, unknown>> = {}
) => ({
  SourceType: connector,
  Version: "v0.0.0-dev",
  Config: typeof config === "string" ? config : JSON.stringify(config),
  SourceID: 0,
  Command: "",
  DestConfig: "",
  DestID: 0,
  WorkflowID: workflowId,
  StreamsConfig: "",
  Flag: "config",
  ...over
})
