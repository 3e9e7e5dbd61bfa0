/** What only a real cluster says: rights, accounts, claims, nodes, images. */
import { assert, describe, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { type Place, place } from "../../dev/cluster/Place.ts"
import { olakeTables } from "../../dev/postgres/OlakeTables.ts"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { sqlLayer } from "../../dev/postgres/Shop.ts"
import { TemporalServer } from "../../dev/temporal/TemporalServer.ts"
import { type Env, workerEnv } from "../../dev/world/WorkerEnv.ts"
import { KubeConfig } from "@kubernetes/client-node"
import { temporaryFolder } from "../support/Conditions.ts"
import { clusterAccess } from "../support/world/ClusterAccess.ts"
import { examine } from "./support.ts"

const access = await clusterAccess()

class Installation extends Context.Service<
  Installation,
  {
    readonly env: Env
    readonly place: Place
    /** A kubeconfig of that ServiceAccount, which may do what is said and nothing else. */
    readonly account: (name: string, rules: ReadonlyArray<object>) => Effect.Effect<string>
  }
>()("test/Installation") {}

const post = ({ api, namespace }: Place, group: string, kind: string, body: object) =>
  Effect.promise(() => api.call("POST", `${group}/namespaces/${namespace}/${kind}`, body))

const RBAC = "rbac.authorization.k8s.io"

const accountOf = (cluster: Place, folder: string) => (name: string, rules: ReadonlyArray<object>) =>
  Effect.gen(function* () {
    const { kubeconfig, namespace } = cluster
    const metadata = { name }
    yield* post(cluster, "/api/v1", "serviceaccounts", { apiVersion: "v1", kind: "ServiceAccount", metadata })
    const version = `${RBAC}/v1`
    yield* post(cluster, `/apis/${version}`, "roles", { apiVersion: version, kind: "Role", metadata, rules })
    yield* post(cluster, `/apis/${version}`, "rolebindings", {
      apiVersion: version,
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: RBAC, kind: "Role", name },
      subjects: [{ kind: "ServiceAccount", name, namespace }]
    })
    const answer = yield* post(cluster, "/api/v1", `serviceaccounts/${name}/token`, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: 3600 }
    })
    const { status } = JSON.parse(answer) as { status: { token: string } }
    const admin = new KubeConfig()
    admin.loadFromFile(kubeconfig)
    const own = new KubeConfig()
    own.loadFromClusterAndUser(admin.getCurrentCluster()!, { name, token: status.token })
    const file = path.join(folder, name)
    yield* Effect.promise(() => fs.writeFile(file, own.exportConfig(), { mode: 0o600 }))
    return file
  })

const world = (kubeconfig: string) =>
  Layer.effect(
    Installation,
    Effect.gen(function* () {
      const cluster = yield* place("olake-doctor", kubeconfig)
      yield* olakeTables("dev", "v2")
      const env = yield* workerEnv("olake-doctor-test", cluster.storage)
      return {
        place: cluster,
        account: accountOf(cluster, yield* temporaryFolder),
        env: {
          ...env,
          KUBECONFIG: kubeconfig,
          WORKER_NAMESPACE: cluster.namespace,
          IMAGE_PULL_POLICY: "IfNotPresent",
          JOB_CPU_REQUEST: "10m",
          JOB_MEMORY_REQUEST: "32Mi"
        }
      }
    })
  ).pipe(
    Layer.provideMerge(Layer.unwrap(Effect.sync(() => sqlLayer()))),
    Layer.provideMerge(Layer.mergeAll(Postgres.layer(), TemporalServer.layer()))
  )

/** Nobody polls here. */
const ALWAYS = "temporal.workers: warning"
const IMAGE = "postgres:v0.0.0-dev"

/** README's Role. */
const ROLE = [
  { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch", "create", "delete"] },
  { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
  { apiGroups: [""], resources: ["secrets"], verbs: ["create"] },
  {
    apiGroups: [""],
    resources: ["configmaps"],
    resourceNames: ["olake-workers-config"],
    verbs: ["list", "watch"]
  }
]

describe.skipIf(!access.available)("the doctor on a real cluster", () => {
  if (!access.available) return
  layer(world(access.kubeconfig), { timeout: "120 seconds", excludeTestServices: true })((it) => {
    it.effect(
      "finds nothing wrong, runs a Pod as a job's, and leaves nothing of it",
      () =>
        Effect.gen(function* () {
          const { env, place: cluster } = yield* Installation
          const { bad, output, exitCode } = yield* examine(env, ["--probe", "--image", IMAGE])
          assert.deepStrictEqual(bad, [ALWAYS], output)
          assert.strictEqual(exitCode, 0)
          assert.include(output, `a Pod of olakego/source-${IMAGE} started on node`)
          assert.include(output, "is Bound (ReadWriteMany)")
          const pods = yield* Effect.promise(() =>
            cluster.api.call("GET", `/api/v1/namespaces/${cluster.namespace}/pods`)
          )
          const left = (
            JSON.parse(pods) as { items: ReadonlyArray<{ metadata: { deletionTimestamp?: string } }> }
          ).items
          assert.deepStrictEqual(
            left.filter(({ metadata }) => metadata.deletionTimestamp === undefined),
            []
          )
          assert.deepStrictEqual(yield* Effect.promise(() => fs.readdir(cluster.storage)), [])
        }),
      120_000
    )

    it.effect("asks for no right beyond README's Role, and says what it cannot see", () =>
      Effect.gen(function* () {
        const { env, account } = yield* Installation
        const KUBECONFIG = yield* account("whole", ROLE)
        const { bad, output, findings } = yield* examine({
          ...env,
          KUBECONFIG,
          OLAKE_SECRET_KEY: "marker-key"
        })
        assert.deepStrictEqual(bad, [ALWAYS], output)
        assert.deepStrictEqual(
          findings.filter(({ status }) => status === "skipped").map(({ check }) => check),
          ["kubernetes.claim", "kubernetes.nodes"]
        )
      })
    )

    it.effect("names a right that is missing, with what grants it", () =>
      Effect.gen(function* () {
        const { env, account, place: cluster } = yield* Installation
        const { namespace } = cluster
        const [pods, ...others] = ROLE
        const without = [{ ...pods, verbs: ["get", "list", "watch", "create"] }, ...others]
        const KUBECONFIG = yield* account("without-delete", without)
        const { bad, findings, exitCode, output } = yield* examine({ ...env, KUBECONFIG })
        assert.sameMembers([...bad], ["kubernetes.permission.delete-pods: problem", ALWAYS], output)
        assert.strictEqual(exitCode, 1)
        const found = findings.find(({ status }) => status === "problem")
        assert.strictEqual(
          found?.found,
          `system:serviceaccount:${namespace}:without-delete may not delete pods in namespace ${namespace}`
        )
        assert.strictEqual(
          found?.fix,
          `kubectl -n ${namespace} create role olake-worker-delete-pods --verb=delete --resource=pods && kubectl -n ${namespace} create rolebinding olake-worker-delete-pods --role=olake-worker-delete-pods --user=system:serviceaccount:${namespace}:without-delete`
        )
      })
    )

    it.effect("warns of rights that may be left out, with what is lost", () =>
      Effect.gen(function* () {
        const { env, account } = yield* Installation
        const KUBECONFIG = yield* account("least", ROLE.slice(0, 2))
        const { bad, output, exitCode } = yield* examine({
          ...env,
          KUBECONFIG,
          OLAKE_SECRET_KEY: "marker-key"
        })
        assert.sameMembers(
          [...bad],
          [
            "kubernetes.permission.create-secrets: warning",
            "kubernetes.permission.list-configmaps: warning",
            "kubernetes.permission.watch-configmaps: warning",
            ALWAYS
          ],
          output
        )
        assert.include(output, "OLAKE_SECRET_KEY stands readable in the Pods of jobs")
        assert.include(output, "--verb=list --resource=configmaps --resource-name=olake-workers-config")
        assert.strictEqual(exitCode, 0)
      })
    )

    for (const { what, over, named, says } of [
      {
        what: "a claim that is not there",
        over: { OLAKE_STORAGE_PVC_NAME: "nothing" },
        named: "kubernetes.claim: problem",
        says: ["there is no claim nothing", "get pvc"]
      },
      {
        what: "a claim that is not bound",
        over: { OLAKE_STORAGE_PVC_NAME: "pending" },
        named: "kubernetes.claim: problem",
        says: ["is Pending, not Bound", "describe pvc pending"]
      },
      {
        what: "an account that is not there",
        over: { JOB_SERVICE_ACCOUNT_NAME: "nobody" },
        named: "kubernetes.pod: problem",
        says: [`serviceaccount \\"nobody\\" not found`, "create serviceaccount nobody"]
      },
      {
        what: "labels that no node has",
        over: { OLAKE_JOB_PROFILES: `{"0":{"nodeSelector":{"pool":"olake"}}}` },
        named: "kubernetes.nodes: problem",
        says: ["no node takes jobs without an entry (pool=olake)", "kubectl label node NODE pool=olake"]
      }
    ]) {
      it.effect(`names ${what}, and only that`, () =>
        Effect.gen(function* () {
          const { env, place: cluster } = yield* Installation
          if (over.OLAKE_STORAGE_PVC_NAME === "pending")
            yield* post(cluster, "/api/v1", "persistentvolumeclaims", {
              apiVersion: "v1",
              kind: "PersistentVolumeClaim",
              metadata: { name: "pending" },
              spec: {
                accessModes: ["ReadWriteMany"],
                storageClassName: "nowhere",
                resources: { requests: { storage: "1Gi" } }
              }
            })
          const { bad, output, exitCode } = yield* examine({ ...env, ...over })
          assert.sameMembers([...bad], [named, ALWAYS], output)
          for (const words of says) assert.include(output, words)
          assert.strictEqual(exitCode, 1)
        })
      )
    }

    it.effect(
      "names an image that cannot be pulled",
      () =>
        Effect.gen(function* () {
          const { env } = yield* Installation
          const { bad, output } = yield* examine({ ...env, CONTAINER_REGISTRY_BASE: "127.0.0.1:1" }, [
            "--probe",
            "--image",
            IMAGE
          ])
          assert.sameMembers([...bad], ["kubernetes.probe: problem", ALWAYS], output)
          assert.include(output, "ImageUnpullable")
          assert.include(output, `127.0.0.1:1/olakego/source-${IMAGE}`)
        }),
      240_000
    )
  })
})
