/** The worker's rights in a real cluster are taken away while a sync ends, and given back. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { connect } from "../../dev/cluster/Client.ts"
import { eventually } from "../support/Conditions.ts"
import { runningSync, startsIn, stateOf, succeeded } from "../support/world/Runs.ts"
import { startReadyWorker } from "../../dev/world/Worker.ts"
import { ended } from "../support/world/Workflows.ts"
import { suiteOnCluster } from "../support/world/Suites.ts"
import { World } from "../support/world/World.ts"

const RULES = [
  { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch", "create", "delete"] },
  { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
  { apiGroups: [""], resources: ["secrets"], verbs: ["create"] }
]
const RBAC = "rbac.authorization.k8s.io"

/** A worker of its own ServiceAccount, and its rights, to be taken away and given back. */
const restrictedWorker = Effect.gen(function* () {
  const { env, storage } = yield* World
  const namespace = env["WORKER_NAMESPACE"] ?? ""
  const admin = env["KUBECONFIG"] ?? ""
  const api = yield* Effect.promise(() => connect(admin))
  const core = `/api/v1/namespaces/${namespace}`
  const rbac = `/apis/${RBAC}/v1/namespaces/${namespace}`
  const metadata = { name: "worker" }
  const give = Effect.promise(() =>
    api.call("POST", `${rbac}/rolebindings`, {
      apiVersion: `${RBAC}/v1`,
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: RBAC, kind: "Role", name: "worker" },
      subjects: [{ kind: "ServiceAccount", name: "worker", namespace }]
    })
  )
  const take = Effect.promise(() => api.call("DELETE", `${rbac}/rolebindings/worker`))
  const token = yield* Effect.promise(async () => {
    await api.call("POST", `${core}/serviceaccounts`, { apiVersion: "v1", kind: "ServiceAccount", metadata })
    const role = { apiVersion: `${RBAC}/v1`, kind: "Role", metadata, rules: RULES }
    await api.call("POST", `${rbac}/roles`, role)
    const answer = await api.call("POST", `${core}/serviceaccounts/worker/token`, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: 3600 }
    })
    return (JSON.parse(answer) as { status: { token: string } }).status.token
  })
  yield* give
  const config = JSON.parse(fs.readFileSync(admin, "utf8")) as { users: Array<{ user: unknown }> }
  for (const user of config.users) user.user = { token }
  const kubeconfig = path.join(storage, "..", `${namespace}.kubeconfig`)
  yield* Effect.acquireRelease(
    Effect.sync(() => fs.writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 })),
    () => Effect.sync(() => fs.rmSync(kubeconfig))
  )
  const worker = yield* startReadyWorker({ ...env, KUBECONFIG: kubeconfig, POD_NAME: "worker-1" })
  return { worker, give, take }
})

suiteOnCluster("rights in a real cluster", "chart", (it) => {
  it.effect(
    "taken away while a sync ends, and given back: it is completed, by one connector",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const world = yield* World
          yield* world.worker.signal("SIGTERM")
          assert.strictEqual(yield* world.worker.exited, 0)
          const { worker, give, take } = yield* restrictedWorker
          const { id, jobId, folder } = yield* runningSync(3)
          yield* take
          yield* eventually("the worker hears that it may not", () =>
            /forbidden/i.test(worker.output()) ? true : undefined
          )
          yield* give
          succeeded(yield* ended(id))
          assert.include(yield* stateOf(jobId), "0/3")
          assert.strictEqual(startsIn(folder), 1)
        })
      ),
    120_000
  )
})
