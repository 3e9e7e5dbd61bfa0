/** The chart on a real cluster, in a namespace that enforces Pod Security `restricted`. */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { clusterAccess } from "../support/ClusterAccess.ts"
import { CHART, helmProgram, RELEASE } from "../support/Helm.ts"
import {
  directoryOf,
  encrypted,
  insertProbeJob,
  nothingLeft,
  runningSync,
  startsIn,
  stateOf,
  succeeded
} from "../support/Runs.ts"
import { ended, execute, uniqueId } from "../support/Workflows.ts"
import { World } from "../support/World.ts"
import { Installed, installedWorld } from "./world.ts"

const access = await clusterAccess()
const WORKERS = "app.kubernetes.io/name=olake-workers"

const use = <A>(run: (installed: Installed["Service"]) => Promise<A>) =>
  Effect.flatMap(Installed, (installed) => Effect.promise(() => run(installed)))

const inWorker = (...command: ReadonlyArray<string>) =>
  use(({ kubectl }) => kubectl("exec", `deployment/${RELEASE}`, "--", ...command))

const workers = use(({ kubectl }) => kubectl("get", "pods", "-l", WORKERS, "-o=name"))

const upgrade = (...args: ReadonlyArray<string>) =>
  use(({ helm }) => helm("upgrade", RELEASE, CHART, "--reuse-values", ...args, "--wait", "--timeout=150s"))

describe.skipIf(!access.available || helmProgram === undefined)("the chart on a real cluster", () => {
  if (!access.available) return
  layer(installedWorld(access.kubeconfig), { timeout: "200 seconds", excludeTestServices: true })((it) => {
    it.effect("runs the worker as a user without rights, on a root filesystem that is read-only", () =>
      Effect.gen(function* () {
        assert.include(yield* inWorker("mount"), " on /data/olake-jobs ")
        assert.match(yield* inWorker("id"), /^uid=1000\b.* gid=1000\b/)
        assert.include(yield* inWorker("sh", "-c", "(echo > /app/x) 2>&1 || true"), "Read-only file system")
        yield* inWorker("sh", "-c", "echo > /tmp/x && rm /tmp/x")
      })
    )

    it.effect("answers the probes of olake-helm's chart", () =>
      Effect.gen(function* () {
        for (const at of ["ready", "health"]) {
          const wget = `wget -q --spider --timeout=2 http://localhost:8090/${at}`
          yield* inWorker("/bin/sh", "-c", `echo ok > /data/olake-jobs/.healthcheck && ${wget}`)
        }
      })
    )

    it.effect("a sync of the first contract", () =>
      Effect.gen(function* () {
        const jobId = yield* insertProbeJob({})
        succeeded(yield* execute("RunSyncWorkflow", uniqueId(`sync-123-${jobId}`), jobId))
        assert.include(yield* stateOf(jobId), "9007199254740993")
      })
    )

    it.effect("a sync of the second contract, with an encrypted config", () =>
      Effect.gen(function* () {
        const { storage } = yield* World
        const jobId = yield* insertProbeJob({}, undefined, encrypted)
        const id = uniqueId(`sync-123-${jobId}`)
        const input = { command: "sync", job_id: jobId, workflow_id: id }
        succeeded(yield* execute("RunSyncWorkflow", id, input))
        assert.include(yield* stateOf(jobId), "9007199254740993")
        assert.isFalse(fs.existsSync(path.join(storage, directoryOf(id), "source.json")))
        yield* nothingLeft
      })
    )

    it.effect(
      "`helm upgrade` while a sync runs: other workers, the same Pod, one result",
      () =>
        Effect.gen(function* () {
          const { platform } = yield* World
          const before = yield* workers
          const { id, jobId, folder } = yield* runningSync(25)
          const pods = yield* Effect.promise(() => platform.pods())
          yield* upgrade("--set", "worker.logLevel=debug")
          const after = yield* workers
          assert.isEmpty(after.split("\n").filter((name) => name !== "" && before.includes(name)))
          assert.deepStrictEqual(yield* Effect.promise(() => platform.pods()), pods)
          const run = yield* ended(id)
          succeeded(run)
          // It ended by itself, and nothing was begun twice.
          assert.include(yield* stateOf(jobId), "0/3")
          assert.strictEqual(startsIn(folder), 1)
          yield* nothingLeft
        }),
      180_000
    )

    it.effect("where jobs run changes without a restart", () =>
      Effect.gen(function* () {
        const before = yield* workers
        yield* upgrade("--set-json", `jobs.mapping={"7":{"node-type":"gpu"}}`)
        assert.strictEqual(yield* workers, before)
      })
    )

    it.effect("`helm test` passes", () =>
      Effect.gen(function* () {
        assert.include(yield* use(({ helm }) => helm("test", RELEASE)), "Succeeded")
      })
    )

    it.effect("its account may do what docs/security.md says, and no more", () =>
      Effect.gen(function* () {
        const { namespace, kubectl } = yield* Installed
        const account = (name: string) => `--as=system:serviceaccount:${namespace}:${name}`
        const may = yield* use(() => kubectl("auth", "can-i", "create", "pods", account("olake-workers-sa")))
        assert.strictEqual(may.trim(), "yes")
        const list = (name: string) =>
          use(() => kubectl("auth", "can-i", "--list", "--no-headers", account(name))).pipe(
            Effect.map((text) =>
              text
                .trim()
                .split("\n")
                .map((line) => line.replaceAll(/ +/g, " ").trim())
            )
          )
        const everybodys = yield* list("default")
        const own = (yield* list("olake-workers-sa")).filter((line) => !everybodys.includes(line))
        assert.sameMembers(own, [
          "pods [] [] [get list watch create delete]",
          "pods/log [] [] [get]",
          "secrets [] [] [create]",
          "configmaps [] [olake-workers-config] [list watch]"
        ])
        assert.sameMembers(yield* list("olake-workers-job"), everybodys)
      })
    )

    it.effect("uninstalled it leaves nothing but the claim", () =>
      Effect.gen(function* () {
        yield* use(({ helm }) => helm("uninstall", RELEASE, "--wait", "--timeout=90s"))
        const kinds = [
          ..."pods deployments replicasets services configmaps secrets serviceaccounts".split(" "),
          ..."roles rolebindings poddisruptionbudgets networkpolicies persistentvolumeclaims".split(" ")
        ]
        const left = yield* use(async ({ kubectl }) => {
          await kubectl("wait", "--for=delete", "pods", "-l", WORKERS, "--timeout=90s")
          return kubectl("get", kinds.join(","), "-o=name")
        })
        assert.sameMembers(left.trim().split("\n"), [
          "configmap/kube-root-ca.crt",
          "serviceaccount/default",
          "persistentvolumeclaim/olake-shared-storage"
        ])
      })
    )
  })
})
