/** Temporal: there, with the namespace, the search attribute and workers that poll. */
import * as Effect from "effect/Effect"
import type { WorkerConfig } from "../../Config.ts"
import * as Inspection from "../../temporal/Inspection.ts"
import { ATTRIBUTE } from "../../temporal/Namespace.ts"
import { TemporalClient } from "../../temporal/TemporalClient.ts"
import { type Check, ok, problem, warning } from "../Check.ts"
import * as ClockSkew from "./ClockSkew.ts"

type Settings = WorkerConfig["Service"]["temporal"]

export const temporalChecks = ({
  address,
  namespace,
  taskQueue
}: Settings): ReadonlyArray<Check<TemporalClient | WorkerConfig>> => {
  const cli = (command: string) => `temporal ${command} --namespace ${namespace} --address ${address}`
  const server: Check<TemporalClient | WorkerConfig> = {
    name: "temporal.server",
    run: Effect.flatMap(TemporalClient, ({ connectOnce }) => connectOnce).pipe(
      Effect.as(ok(`${address} answers`))
    ),
    remedy: `Set TEMPORAL_HOST_PORT and the TEMPORAL_TLS_ settings to those of Temporal's frontend, and see that it runs: temporal operator cluster health --address ${address}`
  }
  const there: Check<TemporalClient | WorkerConfig> = {
    name: "temporal.namespace",
    needs: server.name,
    run: Effect.map(Inspection.retention, (days) =>
      days === undefined
        ? problem(
            `${address} has no namespace ${namespace}`,
            `${cli("operator namespace create --retention 168h")}   (or set TEMPORAL_NAMESPACE to the UI's)`
          )
        : ok(`namespace ${namespace} keeps closed runs for ${days}`)
    ),
    remedy: cli("operator namespace describe")
  }
  return [
    server,
    there,
    {
      name: "temporal.search-attribute",
      needs: there.name,
      run: Effect.map(Inspection.attributeType, (type) => {
        const create = cli(`operator search-attribute create --name ${ATTRIBUTE} --type Keyword`)
        if (type === "Keyword") return ok(`${ATTRIBUTE} is registered`)
        return type === undefined
          ? problem(`${ATTRIBUTE} is not registered: syncs of the second contract do not start`, create)
          : problem(
              `${ATTRIBUTE} is registered as ${type}, not as Keyword`,
              `${cli(`operator search-attribute remove --name ${ATTRIBUTE}`)} && ${create}`
            )
      }),
      remedy: cli("operator search-attribute list")
    },
    {
      name: "temporal.workers",
      needs: there.name,
      run: Effect.map(Inspection.pollers(taskQueue), (workers) =>
        workers.length === 0
          ? warning(
              `no worker polls task queue ${taskQueue}`,
              "Start the worker; if it runs, TEMPORAL_TASK_QUEUE and TEMPORAL_NAMESPACE must be the UI's"
            )
          : ok(
              `${workers.length} worker${workers.length === 1 ? " polls" : "s poll"} task queue ${taskQueue}: ${workers.join(", ")}`
            )
      ),
      remedy: cli(`task-queue describe --task-queue ${taskQueue}`)
    },
    {
      name: "temporal.clock",
      needs: there.name,
      run: ClockSkew.compare("Temporal's", Inspection.clock),
      remedy: cli("operator cluster health")
    }
  ]
}
