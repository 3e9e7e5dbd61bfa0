/** What may happen to a node of a real cluster while a sync runs on it. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { whileFrozen } from "../../dev/cluster/node/Freeze.ts"
import { restartKubelet } from "../../dev/cluster/node/Kubelet.ts"
import { nodeName } from "../../dev/cluster/Settings.ts"
import { connect, type PodObject } from "../../dev/cluster/Client.ts"
import { until } from "../../dev/cluster/Place.ts"
import {
  failedAs,
  insertProbeJob,
  requestSync,
  runningSync,
  startsIn,
  stateOf,
  succeeded
} from "../support/world/Runs.ts"
import { suiteOnCluster } from "../support/world/Suites.ts"
import { ended } from "../support/world/Workflows.ts"
import { World } from "../support/world/World.ts"

const node = `/api/v1/nodes/${nodeName}`

const cluster = Effect.gen(function* () {
  const { env } = yield* World
  const api = yield* Effect.promise(() => connect(env["KUBECONFIG"] ?? ""))
  const namespace = `/api/v1/namespaces/${env["WORKER_NAMESPACE"]}`
  const pods = `${namespace}/pods`
  const writers = async (jobId: number) => {
    const { items } = JSON.parse(await api.call("GET", pods)) as { items: ReadonlyArray<PodObject> }
    return items.filter(({ metadata }) => metadata.name.startsWith(`olake-job-${jobId}-`))
  }
  return { api, pods, limits: `${namespace}/limitranges`, writers }
})

/** A sync that was cut off went on in another Pod, from the state of the first's last second. */
const wentOn = (id: string, jobId: number, folder: string, why: string) =>
  Effect.gen(function* () {
    const run = yield* ended(id)
    succeeded(run)
    assert.include(run.history, why)
    assert.include(yield* stateOf(jobId), "0/3")
    assert.strictEqual(startsIn(folder), 2)
  })

/** What is left of a Pod on a machine that has lost its power: nothing. */
const killProcessesOf = (uid: string) => {
  for (const pid of fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (fs.readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(uid)) process.kill(Number(pid), "SIGKILL")
    } catch {
      // It ended meanwhile.
    }
  }
}

export const nodeSuite = (): void => {
  suiteOnCluster("a sync on a node of a real cluster", "chart", (it) => {
    it.effect(
      "does not mind that the kubelet is started anew",
      () =>
        Effect.gen(function* () {
          const { id, jobId, folder } = yield* runningSync(5)
          yield* Effect.promise(() => restartKubelet())
          succeeded(yield* ended(id))
          assert.include(yield* stateOf(jobId), "0/3")
          assert.strictEqual(startsIn(folder), 1)
        }),
      120_000
    )

    it.effect(
      "goes on elsewhere where the node runs out of memory and evicts it",
      () =>
        Effect.gen(function* () {
          const { id, jobId, folder } = yield* runningSync(20)
          const pressure = {
            evictionHard: { "memory.available": "99%" },
            evictionPressureTransitionPeriod: "1s"
          }
          const { writers } = yield* cluster
          yield* Effect.acquireUseRelease(
            Effect.promise(() => restartKubelet(pressure)),
            () =>
              Effect.promise(() =>
                until("the kubelet evicts the Pod", async () =>
                  (await writers(jobId)).every(({ status }) => status.phase === "Failed")
                )
              ),
            () => Effect.promise(() => restartKubelet({ evictionPressureTransitionPeriod: "1s" }))
          )
          yield* wentOn(id, jobId, folder, "The node was low on resource: memory")
        }),
      240_000
    )

    it.effect(
      "fails for good where it fills more of the node's disk than its limit, and names the limit",
      () =>
        Effect.gen(function* () {
          const { api, limits } = yield* cluster
          const limit = {
            metadata: { name: "disk" },
            spec: { limits: [{ type: "Container", default: { "ephemeral-storage": "16Mi" } }] }
          }
          yield* Effect.acquireUseRelease(
            Effect.promise(() => api.call("POST", limits, limit)),
            () =>
              Effect.gen(function* () {
                const config = { scenario: "fill-disk" }
                const jobId = yield* insertProbeJob({ source: config, destination: config })
                const run = yield* ended(yield* requestSync(jobId))
                failedAs(run, "StorageLimit", "16Mi")
                assert.notInclude(run.history, "TIMER_FIRED")
              }),
            () => Effect.promise(() => api.call("DELETE", `${limits}/disk`))
          )
        }),
      240_000
    )

    it.effect(
      "goes on elsewhere where a taint drives it off its node",
      () =>
        Effect.gen(function* () {
          const { api, writers } = yield* cluster
          const { id, jobId, folder } = yield* runningSync(5)
          const taint = (taints: ReadonlyArray<unknown>) =>
            Effect.promise(() => api.call("PATCH", node, { spec: { taints } }))
          yield* Effect.acquireUseRelease(
            taint([{ key: "olake.io/test", effect: "NoExecute" }]),
            () =>
              Effect.promise(() => until("the Pod is gone", async () => (await writers(jobId)).length === 0)),
            () => taint([])
          )
          yield* wentOn(id, jobId, folder, "Taint manager: deleting due to NoExecute taint")
        }),
      120_000
    )

    it.effect(
      "has no second writer while its node is lost, until an operator says that the first is over",
      () =>
        Effect.gen(function* () {
          const { temporal } = yield* World
          const { api, pods, writers } = yield* cluster
          const { id, jobId, folder } = yield* runningSync()
          const [first] = yield* Effect.promise(() => writers(jobId))
          const { name, uid } = first?.metadata ?? { name: "none", uid: "none" }
          yield* whileFrozen(
            "kubelet",
            Effect.promise(async () => {
              // As the taint manager does it; nobody is there to end the Pod.
              await api.call("DELETE", `${pods}/${name}`)
              await until("the node is lost", async () =>
                /"type":"Ready","status":"Unknown"/.test(await api.call("GET", node))
              )
              assert.deepStrictEqual(
                (await writers(jobId)).map(({ metadata }) => metadata.uid),
                [uid]
              )
              killProcessesOf(uid)
              await api.call("DELETE", `${pods}/${name}`, { gracePeriodSeconds: 0 })
              await until("another Pod is made", async () =>
                (await writers(jobId)).some(({ metadata }) => metadata.uid !== uid)
              )
            })
          )
          yield* Effect.promise(() =>
            until("its connector runs", () => Promise.resolve(startsIn(folder) === 2))
          )
          yield* temporal(["workflow", "cancel", "--workflow-id", id])
          const run = yield* ended(id)
          assert.strictEqual(run.status, "CANCELED")
          assert.include(run.history, "Somebody deleted the Pod")
          assert.include(yield* stateOf(jobId), "0/2")
          assert.strictEqual(startsIn(folder), 2)
        }),
      240_000
    )
  })
}
