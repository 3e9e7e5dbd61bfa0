/** Breaks one thing at a time, in real parts: the doctor names that one and no other. */
import { assert, describe, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import { createCipheriv, createHash } from "node:crypto"
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import { LocalPods } from "../../dev/local-pods/LocalPods.ts"
import { olakeTables } from "../../dev/postgres/OlakeTables.ts"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { sqlLayer } from "../../dev/postgres/Shop.ts"
import { TemporalServer } from "../../dev/temporal/TemporalServer.ts"
import { type Env, workerEnv } from "../../dev/world/WorkerEnv.ts"
import type { Call, Refusal } from "../support/KubeWorld.ts"
import { type StartOptions, startReadyWorker } from "../../dev/world/Worker.ts"
import { temporaryFolder } from "../support/Conditions.ts"
import { examine } from "./support.ts"

const recorded = (name: string) =>
  readFileSync(path.resolve(import.meta.dirname, `../fixtures/api/${name}.json`), "utf8")

const NODES: Refusal = { code: 200, body: recorded("nodes") }
const CLAIM: Refusal = { code: 200, body: recorded("claim-bound") }
const PASSWORD_OF_ANOTHER = "marker-of-a-wrong-password"
const KEY = "marker-of-the-secret-key"

const MOUNT_READ_ONLY = `mount --bind "$SHARED_STORAGE_PATH" "$SHARED_STORAGE_PATH" && mount -o remount,bind,ro "$SHARED_STORAGE_PATH" && exec "$@"`

const cluster: { claim: Refusal; create: Refusal } = { claim: CLAIM, create: undefined }

/** What LocalPods does not know, as a cluster has answered it. */
const answers = ({ verb, resource }: Call): Refusal => {
  if (resource === "nodes") return NODES
  if (resource === "persistentvolumeclaims") return cluster.claim
  return `${verb} ${resource}` === "create pods" ? cluster.create : undefined
}

/** A Pod is refused as a cluster did. */
const refusing = (name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => void (cluster.create = { code: 403, body: recorded(name) })),
    () => Effect.sync(() => void (cluster.create = undefined))
  )

class Installation extends Context.Service<Installation, { readonly env: Env }>()("test/Installation") {
  static readonly layer = Layer.effect(
    Installation,
    Effect.gen(function* () {
      // For other users too.
      const folder = yield* temporaryFolder
      chmodSync(folder, 0o755)
      const storage = path.join(folder, "storage")
      const KUBECONFIG = path.join(folder, "kubeconfig")
      mkdirSync(storage)
      writeFileSync(KUBECONFIG, (yield* LocalPods).kubeconfig, { mode: 0o644 })
      yield* olakeTables("dev", "v2")
      return { env: { ...(yield* workerEnv("olake-doctor-test", storage)), KUBECONFIG } }
    })
  )
}

const world = Installation.layer.pipe(
  Layer.provideMerge(Layer.unwrap(Effect.sync(() => sqlLayer()))),
  Layer.provideMerge(
    Layer.mergeAll(LocalPods.layer({ intercept: answers }), Postgres.layer(), TemporalServer.layer())
  )
)

type World = Layer.Success<typeof world>

/** Nobody polls here: the one thing that is never as it should be. */
const ALWAYS = "temporal.workers: warning"

/** Undone with the scope. */
const meanwhile = (change: string, back: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const each = (statements: string) =>
      Effect.forEach(statements.split(";"), (statement) => sql.unsafe(statement), { discard: true })
    yield* Effect.acquireRelease(each(change), () => Effect.orDie(each(back)))
  })

/** As OLake's UI does it. */
const encrypted = (key: string): string => {
  const nonce = Buffer.alloc(12, 7)
  const cipher = createCipheriv("aes-256-gcm", createHash("sha256").update(key).digest(), nonce)
  const sealed = Buffer.concat([nonce, cipher.update("{}"), cipher.final(), cipher.getAuthTag()])
  return JSON.stringify(sealed.toString("base64"))
}

const withEncryptedSource = (key: string) =>
  meanwhile(
    `INSERT INTO "olake-dev-source" (name, type, version, config) VALUES ('s', 'postgres', 'v1', '${encrypted(key)}'::jsonb)`,
    `DELETE FROM "olake-dev-source"`
  )

const configMap = (data: Readonly<Record<string, string>>) =>
  Effect.flatMap(LocalPods, ({ url }) =>
    Effect.acquireRelease(
      Effect.promise(() =>
        fetch(`${url}/api/v1/namespaces/default/configmaps`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({
            apiVersion: "v1",
            kind: "ConfigMap",
            metadata: { name: "olake-workers-config" },
            data
          })
        })
      ),
      () =>
        Effect.promise(() =>
          fetch(`${url}/api/v1/namespaces/default/configmaps/olake-workers-config`, { method: "DELETE" })
        )
    )
  )

interface Broken {
  readonly what: string
  readonly env?: (env: Env) => Record<string, string>
  readonly how?: Omit<StartOptions, "args">
  readonly change?: Effect.Effect<unknown, unknown, World | Scope.Scope>
  /** The one that is named, and words of what it says and of what mends it. */
  readonly named: string
  readonly says: ReadonlyArray<string>
  /** Where Temporal cannot be asked who polls. */
  readonly alone?: boolean
}

const broken: ReadonlyArray<Broken> = [
  {
    what: "a variable that is not valid",
    env: () => ({ DB_PORT: "x" }),
    named: "configuration: problem",
    says: ["DB_PORT: expected a port number", "deployment/olake-workers DB_PORT=VALUE"],
    alone: true
  },
  {
    what: "a variable that is misspelt",
    env: () => ({ OLAKE_JOB_MAPING: "{}" }),
    named: "configuration: warning",
    says: ["OLAKE_JOB_MAPING", "did you mean OLAKE_JOB_MAPPING"]
  },
  {
    what: "Temporal stopped",
    change: Effect.flatMap(TemporalServer, ({ stop, start }) =>
      Effect.acquireRelease(stop, () => Effect.orDie(start))
    ),
    named: "temporal.server: problem",
    says: ["Connection refused", "temporal operator cluster health --address 127.0.0.1"],
    alone: true
  },
  {
    what: "a namespace that is not there",
    env: () => ({ TEMPORAL_NAMESPACE: "nobodys" }),
    named: "temporal.namespace: problem",
    says: ["no namespace nobodys", "temporal operator namespace create --retention 168h --namespace nobodys"],
    alone: true
  },
  {
    what: "a search attribute that is not there",
    env: () => ({ TEMPORAL_NAMESPACE: "bare" }),
    change: Effect.flatMap(TemporalServer, ({ temporal }) =>
      temporal(["operator", "namespace", "create", "--namespace", "bare"])
    ),
    named: "temporal.search-attribute: problem",
    says: [
      "OperationType is not registered",
      "temporal operator search-attribute create --name OperationType --type Keyword --namespace bare"
    ]
  },
  {
    what: "Postgres stopped",
    change: Effect.flatMap(Postgres, ({ stop, start }) =>
      Effect.acquireRelease(stop, () => Effect.orDie(start))
    ),
    named: "postgres.server: problem",
    says: ["ECONNREFUSED", "pg_isready -h 127.0.0.1 -p"]
  },
  {
    what: "a wrong password",
    env: () => ({ DB_PASSWORD: PASSWORD_OF_ANOTHER }),
    named: "postgres.server: problem",
    says: ["password authentication failed", "DB_PASSWORD", "ALTER ROLE"]
  },
  {
    what: "a database that is not there",
    env: () => ({ DB_NAME: "nothing" }),
    named: "postgres.server: problem",
    says: [`database \\"nothing\\" does not exist`, "Set DB_NAME"]
  },
  {
    what: "a table that is not there",
    change: meanwhile(
      `ALTER TABLE "olake-dev-destination" RENAME TO away`,
      `ALTER TABLE away RENAME TO "olake-dev-destination"`
    ),
    named: "postgres.table.destination: problem",
    says: [`no table \\"olake-dev-destination\\"`, "OLake's UI"]
  },
  {
    what: "a column that is not there",
    change: meanwhile(
      `ALTER TABLE "olake-dev-job" RENAME state TO states`,
      `ALTER TABLE "olake-dev-job" RENAME states TO state`
    ),
    named: "postgres.table.job: problem",
    says: ["no column state", "Update OLake's UI"]
  },
  {
    what: "a user who may not write",
    env: () => ({ DB_USER: "reader", DB_PASSWORD: "reader-of-tables" }),
    change: meanwhile(
      `CREATE ROLE reader LOGIN PASSWORD 'reader-of-tables'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader`,
      `DROP OWNED BY reader; DROP ROLE reader`
    ),
    named: "postgres.table.job: problem",
    says: ["reader may not UPDATE", `GRANT UPDATE ON \\"olake-dev-job\\" TO \\"reader\\";`]
  },
  {
    what: "another key than the UI's",
    env: () => ({ OLAKE_SECRET_KEY: KEY }),
    change: withEncryptedSource("another"),
    named: "postgres.encryption: problem",
    says: ["encrypted with another key", "Set OLAKE_SECRET_KEY"]
  },
  {
    what: "no key where the UI has one",
    change: withEncryptedSource(KEY),
    named: "postgres.encryption: problem",
    says: ["OLAKE_SECRET_KEY is not set"]
  },
  {
    what: "an API server that is not there",
    env: () => ({ KUBECONFIG: "/nowhere/config" }),
    named: "kubernetes.server: problem",
    says: ["/nowhere/config", "kubectl cluster-info"]
  },
  {
    what: "a claim that is not bound",
    change: Effect.acquireRelease(
      Effect.sync(() => void (cluster.claim = { code: 200, body: recorded("claim-pending") })),
      () => Effect.sync(() => void (cluster.claim = CLAIM))
    ),
    named: "kubernetes.claim: problem",
    says: ["is Pending, not Bound", "kubectl -n default describe pvc olake-shared-storage"]
  },
  {
    what: "a quota that is used up",
    change: refusing("quota"),
    named: "kubernetes.pod: problem",
    says: ["exceeded quota", "kubectl -n default describe resourcequota"]
  },
  {
    what: "a policy that refuses the Pods of jobs",
    change: refusing("pss"),
    named: "kubernetes.pod: problem",
    says: ["violates PodSecurity", "POD_SECURITY_CONTEXT"]
  },
  {
    what: "labels that no node has",
    env: () => ({ OLAKE_JOB_MAPPING: `{"7":{"node-type":"gpu"}}` }),
    named: "kubernetes.nodes: problem",
    says: ["no node takes job 7 (node-type=gpu)", "kubectl label node NODE node-type=gpu"]
  },
  {
    what: "an entry of the ConfigMap that is not valid",
    change: configMap({ OLAKE_JOB_MAPPING: `{"x":{"a":"b"}}` }),
    named: "kubernetes.configmap: problem",
    says: ["OLAKE_JOB_MAPPING.x: expected a job id", "kubectl -n default edit configmap olake-workers-config"]
  },
  {
    what: "a storage that is not mounted",
    env: ({ SHARED_STORAGE_PATH }) => ({ SHARED_STORAGE_PATH: `${SHARED_STORAGE_PATH}/nothing` }),
    named: "storage.writable: problem",
    says: ["NotFound", "Mount claim olake-shared-storage into the worker"]
  },
  {
    what: "a storage that is mounted read-only",
    how: { launcher: ["unshare", "--mount", "--map-root-user", "sh", "-c", MOUNT_READ_ONLY, "sh"] },
    named: "storage.writable: problem",
    says: ["EROFS", "mounted read-only"]
  },
  {
    what: "a storage that is not for this user",
    how: { uid: 65_534 },
    named: "storage.writable: problem",
    says: ["PermissionDenied", "fsGroup"]
  }
]

describe("the doctor", () => {
  layer(world, { timeout: "120 seconds", excludeTestServices: true })((it) => {
    it.effect("finds nothing where nothing is broken, and who works there", () =>
      Effect.gen(function* () {
        const { env } = yield* Installation
        const before = yield* examine(env)
        assert.deepStrictEqual(before.bad, [ALWAYS], before.output)
        assert.strictEqual(before.counts.skipped, 0)
        assert.strictEqual(before.status, "warning")
        assert.strictEqual(before.exitCode, 0)
        yield* Effect.scoped(
          Effect.gen(function* () {
            // Temporal remembers for minutes who has polled a queue.
            const own = { ...env, POD_NAME: "worker-7", TEMPORAL_TASK_QUEUE: "polled" }
            yield* startReadyWorker(own)
            const { bad, output, exitCode } = yield* examine({ ...own, OLAKE_SECRET_KEY: KEY })
            assert.deepStrictEqual(bad, [], output)
            assert.strictEqual(exitCode, 0)
            assert.include(output, "1 worker polls task queue polled: worker-7@polled")
          })
        )
      })
    )

    it.effect("tries the key on a config that the UI has encrypted", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { env } = yield* Installation
          yield* withEncryptedSource(KEY)
          const { bad, output } = yield* examine({ ...env, OLAKE_SECRET_KEY: KEY })
          assert.deepStrictEqual(bad, [ALWAYS])
          assert.include(output, "OLAKE_SECRET_KEY opens the config of source")
        })
      )
    )

    it.effect("prints no secret, wherever one has slipped in", () =>
      Effect.gen(function* () {
        const { env } = yield* Installation
        const { output } = yield* examine({ ...env, DB_NAME: env["DB_PASSWORD"] ?? "" })
        assert.include(output, "does not exist")
        assert.notInclude(output, env["DB_PASSWORD"] ?? "")
      })
    )

    for (const { what, env: over, how, change, named, says, alone = false } of broken) {
      // Another user, and mounts: root's.
      it.effect.skipIf(how !== undefined && process.getuid?.() !== 0)(`names ${what}, and only that`, () =>
        Effect.scoped(
          Effect.gen(function* () {
            const { env } = yield* Installation
            if (change !== undefined) yield* change
            const { bad, output, exitCode } = yield* examine({ ...env, ...over?.(env) }, [], how)
            assert.sameMembers([...bad], alone ? [named] : [named, ALWAYS], output)
            for (const words of says) assert.include(output, words)
            assert.strictEqual(exitCode, named.endsWith("problem") ? 1 : 0)
            for (const secret of [env.DB_PASSWORD ?? "", PASSWORD_OF_ANOTHER, KEY, "reader-of-tables"])
              assert.notInclude(output, secret)
          })
        )
      )
    }
  })
})
