/** The chart on a real cluster, in a namespace that enforces Pod Security `restricted`. */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { temporaryFolder } from "../../dev/cluster/Place.ts"
import { clusterAccess } from "../support/world/ClusterAccess.ts"
import { CHART, helmProgram, RELEASE, render, renderText } from "../support/Helm.ts"
import {
  directoryOf,
  encrypted,
  insertProbeJob,
  nothingLeft,
  requestSync,
  runningSync,
  startsIn,
  stateOf,
  succeeded,
  untilBegun
} from "../support/world/Runs.ts"
import { ended, execute, uniqueId } from "../support/world/Workflows.ts"
import { SECRET_KEY, World } from "../support/world/World.ts"
import { everything, valid } from "./values.ts"
import { Installed, installedWorld } from "./world.ts"

const access = await clusterAccess()
/** A slow machine's; what is waited for has bounds of its own. */
const PATIENCE = 120_000
const WORKERS = "app.kubernetes.io/name=olake-workers"

const use = <A>(run: (installed: Installed["Service"]) => Promise<A>) =>
  Effect.flatMap(Installed, (installed) => Effect.promise(() => run(installed)))

const inWorker = (...command: ReadonlyArray<string>) =>
  use(({ kubectl }) => kubectl("exec", `deployment/${RELEASE}`, "--", ...command))

/** Names of the workers that are not on their way out. */
const workers = use(async ({ kubectl }) => {
  const { items } = JSON.parse(await kubectl("get", "pods", "-l", WORKERS, "-o=json")) as {
    items: ReadonlyArray<{ metadata: { name: string; deletionTimestamp?: string } }>
  }
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata }) => metadata.name)
    .toSorted()
})

const upgrade = (...args: ReadonlyArray<string>) =>
  use(({ helm }) => helm("upgrade", RELEASE, CHART, "--reuse-values", ...args, "--wait", "--timeout=150s"))

describe.skipIf(!access.available || helmProgram === undefined)("the chart on a real cluster", () => {
  if (!access.available) return
  layer(installedWorld(access.kubeconfig), { timeout: "5 minutes", excludeTestServices: true })((it) => {
    it.effect(
      "runs the worker as a user without rights, on a root filesystem that is read-only",
      () =>
        Effect.gen(function* () {
          assert.include(yield* inWorker("mount"), " on /data/olake-jobs ")
          assert.match(yield* inWorker("id"), /^uid=1000\b.* gid=1000\b/)
          assert.include(yield* inWorker("sh", "-c", "(echo > /app/x) 2>&1 || true"), "Read-only file system")
          yield* inWorker("sh", "-c", "echo > /tmp/x && rm /tmp/x")
        }),
      PATIENCE
    )

    it.effect(
      "is a small image: what it adds to its base",
      () =>
        Effect.gen(function* () {
          const script = `
          const { readdirSync, lstatSync } = require("node:fs")
          const files = readdirSync("/app", { recursive: true }).map((file) => lstatSync("/app/" + file))
          console.log(files.reduce((sum, { size }) => sum + size, 0))`
          const megabytes = Number(yield* inWorker("node", "-e", script)) / 1e6
          assert.isAbove(megabytes, 30)
          assert.isBelow(megabytes, 120)
        }),
      PATIENCE
    )

    it.effect(
      "the API server takes what is rendered, to the last field, and finds the worker `restricted`",
      () =>
        Effect.gen(function* () {
          const { namespace, kubectl, tryKubectl } = yield* Installed
          const empty = `${namespace}-empty`
          yield* Effect.acquireRelease(
            Effect.promise(() => kubectl("create", "namespace", empty)),
            () => Effect.promise(() => kubectl("delete", "namespace", empty, "--wait=false"))
          )
          const enforce = "pod-security.kubernetes.io/warn=restricted"
          yield* Effect.promise(() => kubectl("label", "namespace", empty, enforce))
          const folder = yield* temporaryFolder("olake-helm")
          for (const [what, values] of Object.entries(valid)) {
            // The Prometheus operator's kinds are not known here.
            const manifests = renderText({ ...values(), monitoring: {} }, empty)
            const file = path.join(folder, "manifests.yaml")
            fs.writeFileSync(file, manifests)
            const flags = [
              "--dry-run=server",
              "--validate=strict",
              `--filename=${file}`,
              `--namespace=${empty}`
            ]
            const { code, stdout, stderr } = yield* Effect.promise(() => tryKubectl("create", ...flags))
            assert.strictEqual(code, 0, `${what}: ${stderr}`)
            assert.lengthOf(stdout.trim().split("\n"), manifests.match(/^kind: /gm)?.length ?? 0, what)
            const isRoot = what.includes("root") || what.includes("beside OLake's own chart")
            assert.strictEqual(stderr.includes("would violate PodSecurity"), isRoot, `${what}: ${stderr}`)
          }
        }),
      240_000
    )

    it.effect(
      "answers the probes of olake-helm's chart",
      () =>
        Effect.gen(function* () {
          for (const at of ["ready", "health"]) {
            const wget = `wget -q --spider --timeout=2 http://localhost:8090/${at}`
            yield* inWorker("/bin/sh", "-c", `echo ok > /data/olake-jobs/.healthcheck && ${wget}`)
          }
        }),
      PATIENCE
    )

    it.effect(
      "a sync of the first contract",
      () =>
        Effect.gen(function* () {
          const jobId = yield* insertProbeJob({})
          succeeded(yield* execute("RunSyncWorkflow", uniqueId(`sync-123-${jobId}`), jobId))
          assert.include(yield* stateOf(jobId), "9007199254740993")
        }),
      PATIENCE
    )

    it.effect(
      "a sync of the second contract, with an encrypted config",
      () =>
        Effect.gen(function* () {
          const { storage } = yield* World
          const jobId = yield* insertProbeJob({}, undefined, encrypted)
          const id = uniqueId(`sync-123-${jobId}`)
          const input = { command: "sync", job_id: jobId, workflow_id: id }
          succeeded(yield* execute("RunSyncWorkflow", id, input))
          assert.include(yield* stateOf(jobId), "9007199254740993")
          assert.isFalse(fs.existsSync(path.join(storage, directoryOf(id), "source.json")))
          yield* nothingLeft
        }),
      PATIENCE
    )

    it.effect(
      "its metrics are those that alerts and dashboard ask for",
      () =>
        Effect.gen(function* () {
          const names = yield* workers
          const read = (name: string) =>
            use(({ kubectl }) =>
              kubectl("exec", name, "--", "wget", "-q", "-O-", "http://localhost:8090/metrics")
            )
          const shown = (yield* Effect.forEach(names, read)).join("\n")
          const dashboard = fs.readFileSync(path.join(CHART, "files/dashboard.json"), "utf8")
          const rules = JSON.stringify(render(everything).filter(({ kind }) => kind === "PrometheusRule"))
          const asked = new Set(`${dashboard}${rules}`.match(/\b(?:olake_worker|temporal)_[a-z0-9_]+/g))
          // Shown only once something went wrong.
          const troubles = /_failed_total$|_reconnects_total$|_attempt_failures_total$/
          assert.deepStrictEqual(
            [...asked].filter(
              (name) => !troubles.test(name) && !shown.includes(`${name}{`) && !shown.includes(`${name} `)
            ),
            []
          )
        }),
      PATIENCE
    )

    it.effect(
      "`helm upgrade` while a sync runs: other workers, the same Pod, one result",
      () =>
        Effect.gen(function* () {
          const { platform } = yield* World
          const before = yield* workers
          const { id, jobId, folder } = yield* runningSync()
          const pods = yield* Effect.promise(() => platform.pods())
          yield* upgrade("--set", "worker.logLevel=debug")
          const after = yield* workers
          assert.lengthOf(after, 2)
          assert.isEmpty(after.filter((name) => before.includes(name)))
          assert.deepStrictEqual(yield* Effect.promise(() => platform.pods()), pods)
          const end = `kill $(ps | sed -n 's/^ *\\([0-9]*\\) .*sleep 3600$/\\1/p')`
          yield* use(({ kubectl }) => kubectl("exec", pods[0] ?? "", "--", "sh", "-c", end))
          const run = yield* ended(id)
          succeeded(run)
          // Its connector came to its end, and nothing was begun twice.
          assert.include(yield* stateOf(jobId), "0/3")
          assert.strictEqual(startsIn(folder), 1)
          yield* nothingLeft
        }),
      180_000
    )

    it.effect(
      "where jobs run changes without a restart",
      () =>
        Effect.gen(function* () {
          const before = yield* workers
          yield* upgrade("--set-json", `jobs.mapping={"7":{"node-type":"gpu"}}`)
          assert.deepStrictEqual(yield* workers, before)
        }),
      PATIENCE
    )

    it.effect(
      "secrets are where they are kept, and nowhere else: at debug level, in syncs that run, fail and are cancelled",
      () =>
        Effect.gen(function* () {
          const { kubectl } = yield* Installed
          const { platform, postgres, storage, temporal } = yield* World
          const secret = { source: "marker-of-the-source", destination: "marker-of-the-destination" }
          const markers = [SECRET_KEY, postgres.password, ...Object.values(secret)]
          const found: Array<string> = []
          const look = (where: string, text: string) => {
            assert.isNotEmpty(text, where)
            for (const marker of markers) if (text.includes(marker)) found.push(`${marker} in ${where}`)
          }
          const job = (scenario: string) =>
            insertProbeJob(
              {
                source: { scenario, password: secret.source },
                destination: { scenario, password: secret.destination }
              },
              undefined,
              encrypted
            )
          const running = yield* requestSync(yield* job("sleep"))
          const folder = path.join(storage, directoryOf(running))
          yield* untilBegun(folder)
          // The test can see what it looks for: here it is kept, for the connector only.
          const source = path.join(folder, "source.json")
          assert.include(fs.readFileSync(source, "utf8"), secret.source)
          assert.strictEqual(fs.statSync(source).mode & 0o077, 0)

          const kinds =
            "pods,events,deployments,replicasets,configmaps,services,endpoints,serviceaccounts,pvc"
          look("objects", yield* Effect.promise(() => kubectl("get", kinds, "-o=json")))
          look("describe", yield* Effect.promise(() => kubectl("describe", "pods")))
          const processes = "cat /proc/[0-9]*/cmdline 2>/dev/null || true"
          const connectors = yield* Effect.promise(() => platform.pods())
          for (const pod of [...(yield* workers), ...connectors]) {
            const listed = yield* Effect.promise(() => kubectl("exec", pod, "--", "sh", "-c", processes))
            // Connectors take the key by their command line: docs/security.md.
            const isConnectors = connectors.includes(pod)
            look(`processes of ${pod}`, isConnectors ? listed.replaceAll(SECRET_KEY, "") : listed)
          }
          const paths = ["metrics", "jobs", "", "health/ready"]
          for (const at of paths)
            look(`/${at}`, yield* inWorker("wget", "-q", "-O-", `http://localhost:8090/${at}`))

          const failing = yield* requestSync(yield* job("exit-1"))
          assert.strictEqual((yield* ended(failing)).status, "FAILED")
          yield* temporal(["workflow", "cancel", "--workflow-id", running])
          assert.strictEqual((yield* ended(running)).status, "CANCELED")
          yield* nothingLeft

          for (const id of [running, failing]) look(`history of ${id}`, (yield* ended(id)).history)
          for (const name of yield* workers)
            look(`log of ${name}`, yield* Effect.promise(() => kubectl("logs", name)))
          look("objects at the end", yield* Effect.promise(() => kubectl("get", kinds, "-o=json")))
          const files = fs.readdirSync(storage, { recursive: true, encoding: "utf8" })
          assert.isAbove(files.length, 10)
          for (const file of files) {
            look("names of files", file)
            const at = path.join(storage, file)
            if (fs.statSync(at).isFile() && fs.statSync(at).size > 0)
              look(file, fs.readFileSync(at, "latin1"))
          }
          assert.deepStrictEqual(found, [])
        }),
      180_000
    )

    it.effect(
      "`helm test` passes",
      () =>
        Effect.gen(function* () {
          assert.include(yield* use(({ helm }) => helm("test", RELEASE)), "Succeeded")
        }),
      PATIENCE
    )

    it.effect(
      "its account may do what docs/security.md says, and no more",
      () =>
        Effect.gen(function* () {
          const { namespace, kubectl } = yield* Installed
          const account = (name: string) => `--as=system:serviceaccount:${namespace}:${name}`
          const may = yield* use(() =>
            kubectl("auth", "can-i", "create", "pods", account("olake-workers-sa"))
          )
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
        }),
      PATIENCE
    )

    it.effect(
      "uninstalled it leaves nothing but the claim",
      () =>
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
        }),
      PATIENCE
    )
  })
})
