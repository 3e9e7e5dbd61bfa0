/** What becomes of a Pod whose create, end or name is in doubt; the server is scripted where its timing counts. */
import { assert, describe, it } from "@effect/vitest"
import { loadYaml } from "@kubernetes/client-node"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { readFileSync } from "node:fs"
import { adoptionOf, goNameOf, isInTheWayOf } from "../../src/kubernetes/pod/PodIdentity.ts"
import { KubernetesClient } from "../../src/kubernetes/api/KubernetesClient.ts"
import { PodRunner, type RunState } from "../../src/kubernetes/PodRunner.ts"
import * as PodSpec from "../../src/kubernetes/pod/PodSpec.ts"
import { fromPod, type PodJson } from "../../src/kubernetes/pod/PodView.ts"
import { PodWatch } from "../../src/kubernetes/PodWatch.ts"
import type { Job } from "../../src/olake/Job.ts"
import { eventually } from "../support/Conditions.ts"
import { aPod } from "../support/PodBuilder.ts"
import { noRulesLayer } from "../support/KubeWorld.ts"
import { createdFrom, json, scriptedApi, scriptedPods, type ScriptedPods } from "../support/ScriptedApi.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

const run = { temporalNamespace: "default", taskQueue: "q", workflowId: "w-1", runId: "r-1" }
const check: Job = {
  operation: "check",
  connector: "postgres",
  version: "v1",
  args: ["check"],
  secretKey: undefined,
  directory: "w-1",
  files: [],
  jobId: 0,
  run,
  timeout: Duration.hours(1),
  attempt: 1
}
const sync: Job = { ...check, operation: "sync", jobId: 7, timeout: Duration.hours(700) }

const test = (
  title: string,
  program: (api: ScriptedPods) => Effect.Effect<void, unknown, PodRunner | PodWatch | Scope.Scope>
) =>
  it.live(title, () =>
    Effect.gen(function* () {
      const api = scriptedPods()
      const { kubeconfigPath } = yield* scriptedApi(api.answer)
      const layer = PodRunner.layer.pipe(
        Layer.provideMerge(PodWatch.layer),
        Layer.provide(noRulesLayer),
        Layer.provide(KubernetesClient.layer),
        Layer.provide(testConfigLayer({ kubernetes: { kubeconfig: kubeconfigPath } }))
      )
      yield* Effect.provide(Effect.scoped(program(api)), layer)
    }).pipe(Effect.scoped, Effect.timeout("25 seconds"))
  )

const runScoped = (job: Job) => Effect.scoped(Effect.flatMap(PodRunner, (pods) => pods.run(job, Effect.void)))
const adopt = (job: Job = sync, prepare: Effect.Effect<void> = Effect.void) =>
  Effect.flatMap(PodRunner, (pods) =>
    pods.adopt(job, {
      prepare: Effect.as(prepare, job),
      runState: () => Effect.succeed("closed"),
      isCancelled: Effect.succeed(false)
    })
  )
const stop = Effect.flatMap(PodRunner, (pods) => pods.stop(sync))

const creates = (api: ScriptedPods) => api.count("POST", /\/pods\?/)
const deletes = (api: ScriptedPods) => api.count("DELETE", /\/pods\//)
const isPodCreate = (method: string, url: string) => method === "POST" && url.includes("/pods?")
const watching = (api: ScriptedPods) =>
  eventually("the watch is open", () => (api.watched.length > 0 ? true : undefined))

const endedWell = (pod: ScriptedPods["pods"][number]): ScriptedPods["pods"][number] =>
  Object.assign(structuredClone(pod), {
    status: {
      phase: "Succeeded",
      containerStatuses: [{ name: "connector", state: { terminated: { exitCode: 0, reason: "Completed" } } }]
    }
  })

/** As soon as a Pod is known, it ends well. */
const endWell = (api: ScriptedPods) =>
  Effect.gen(function* () {
    yield* eventually("there is a Pod", () => (api.pods.length > 0 ? true : undefined))
    api.pods = api.pods.map(endedWell)
    yield* watching(api)
    yield* eventually("its end is heard of", () => {
      const [pod] = api.pods
      if (pod === undefined) return true
      api.send({
        type: "MODIFIED",
        object: { ...pod, metadata: { ...pod.metadata, resourceVersion: "999" } }
      })
      return undefined
    })
  })

describe("adoptionOf", () => {
  const other: Job = { ...sync, run: { ...run, runId: "r-2" } }
  const ours = aPod().labelled({ [PodSpec.KEY_LABEL]: PodSpec.keyOf(run, "sync") })
  it("goes by the label, then by the key, then by the deletion", () => {
    assert.strictEqual(adoptionOf(ours.view(), sync), "ours")
    assert.strictEqual(adoptionOf(ours.exited(0).phase("Succeeded").view(), sync), "ours")
    assert.strictEqual(adoptionOf(ours.deleted().view(), sync), "oursEnding")
    assert.strictEqual(adoptionOf(ours.view(), other), "otherRun")
    assert.strictEqual(adoptionOf(ours.deleted().view(), other), "otherRun")
    assert.strictEqual(adoptionOf(aPod().view(), sync), "otherRun")
    const foreign = ours.labelled({ "app.kubernetes.io/managed-by": "Helm" })
    assert.strictEqual(adoptionOf(foreign.view(), sync), "notManaged")
  })
})

describe("a Pod that the Go worker made", () => {
  const recorded = (name: string) => {
    const file = new URL(`../fixtures/go/${name}-running.yaml`, import.meta.url)
    return fromPod(loadYaml<PodJson>(readFileSync(file, "utf8")))
  }
  const of = (over: Partial<Job>, workflowId: string): Job => ({
    ...sync,
    ...over,
    run: { ...run, workflowId }
  })
  const goSync = recorded("sync")

  it("is its run's, by workflow and operation", () => {
    const job = of({ jobId: 100 }, "sync-123-100")
    assert.strictEqual(adoptionOf(goSync, job), "ours")
    assert.isTrue(isInTheWayOf(goSync, job))
    // Temporal's reset begins another run of the same workflow: still its Pod.
    assert.strictEqual(adoptionOf(goSync, { ...job, run: { ...job.run, runId: "r-2" } }), "ours")
    const check = of({ operation: "check" }, "test-connection-source-probe-1795440581034-0")
    assert.strictEqual(adoptionOf(recorded("check"), check), "ours")
  })

  it("is in the way of every other writer of its job, and of nobody else", () => {
    const later = of({ jobId: 100 }, "sync-123-100-2026-11-24T00:00:00Z")
    assert.isTrue(isInTheWayOf(goSync, later))
    assert.strictEqual(adoptionOf(goSync, later), "otherRun")
    assert.isTrue(isInTheWayOf(goSync, { ...later, operation: "clear-destination" }))
    assert.isFalse(isInTheWayOf(goSync, of({ jobId: 101 }, "sync-123-101")))
    assert.isFalse(isInTheWayOf(goSync, { ...later, operation: "check" }))
    assert.isFalse(isInTheWayOf(recorded("check"), later))
  })

  it("has the name that the Go worker gives it", () => {
    assert.strictEqual(goNameOf("sync-123-100"), goSync.name)
    assert.strictEqual(goNameOf("test-connection-source-probe-1795440581034-0"), recorded("check").name)
    assert.strictEqual(goNameOf("sync-123-7-2026-01-19T13:45:09Z"), "sync-123-7-2026-01-19t13-45-09z")
    assert.strictEqual(goNameOf(`_a.b:${"x".repeat(58)}-y`), `a-b-${"x".repeat(58)}`)
  })
})

describe("a Pod of the Go worker's on the API server", () => {
  const gos = (workflowId: string, over: object = {}) => ({
    metadata: {
      name: goNameOf(workflowId),
      uid: "uid-go",
      resourceVersion: "5",
      labels: {
        "app.kubernetes.io/managed-by": "olake-workers",
        [PodSpec.OPERATION_LABEL]: "sync",
        [PodSpec.JOB_ID_LABEL]: "7"
      },
      annotations: { [PodSpec.WORKFLOW_ID_ANNOTATION]: workflowId },
      ...over
    },
    status: { phase: "Running" }
  })
  const adoptWith = (job: Job, state: RunState) =>
    Effect.flatMap(PodRunner, (pods) =>
      pods.adopt(job, {
        prepare: Effect.succeed(job),
        runState: () => Effect.succeed(state),
        isCancelled: Effect.succeed(false)
      })
    )

  test("made after our list is found by its name in a later attempt", (api) =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      api.pods = [gos("w-1")]
      yield* Effect.forkChild(endWell(api))
      assert.isUndefined((yield* adoptWith({ ...sync, attempt: 2 }, "open")).failure)
      assert.deepStrictEqual([creates(api), deletes(api)], [0, 0])
    }))

  for (const state of ["open", "unknown"] as const) {
    test(`of a run that is ${state} is waited for, not removed`, (api) =>
      Effect.gen(function* () {
        api.pods = [gos("sync-123-7-other")]
        const error = yield* Effect.flip(adoptWith(sync, state))
        assert.strictEqual(error._tag, "JobBusy")
        assert.include(error.message, "sync-123-7-other")
        assert.deepStrictEqual([creates(api), deletes(api), api.pods.length], [0, 0, 1])
      }))
  }

  test("of a run that is over: what it left is seen to when it is gone, before the next is prepared", (api) =>
    Effect.gen(function* () {
      const other = endedWell(gos("sync-123-7-other"))
      api.pods = [other]
      const steps: Array<string> = []
      const adopting = yield* Effect.forkChild(
        Effect.flatMap(PodRunner, (pods) =>
          pods.adopt(sync, {
            prepare: Effect.sync(() => (steps.push("prepare"), sync)),
            runState: () => Effect.succeed("closed"),
            onEnded: ({ uid }) => Effect.sync(() => void steps.push(`${uid} of ${api.pods.length}`)),
            isCancelled: Effect.succeed(false)
          })
        )
      )
      yield* eventually("it is deleted", () => (deletes(api) === 1 ? true : undefined))
      assert.deepStrictEqual(steps, [])
      api.send({ type: "DELETED", object: other })
      yield* eventually("its job's next Pod is made", () => (creates(api) === 1 ? true : undefined))
      assert.deepStrictEqual(steps, ["uid-go of 0", "prepare"])
      yield* Fiber.interrupt(adopting)
    }))

  test("of a forgotten run that has ended holds up nobody: it is removed", (api) =>
    Effect.gen(function* () {
      api.pods = [endedWell(gos("sync-123-7-other"))]
      const adopting = yield* Effect.forkChild(adoptWith(sync, "unknown"))
      yield* eventually("it is deleted", () => (deletes(api) === 1 ? true : undefined))
      api.send({ type: "DELETED", object: { ...gos("sync-123-7-other"), status: { phase: "Succeeded" } } })
      yield* eventually("its job's next Pod is made", () => (creates(api) === 1 ? true : undefined))
      yield* Fiber.interrupt(adopting)
    }))

  test("is asked to stop with its run, though it has another name", (api) =>
    Effect.gen(function* () {
      api.pods = [gos("w-1")]
      assert.isFalse(yield* Effect.flatMap(PodRunner, (pods) => pods.askToStop(sync)))
      assert.strictEqual(deletes(api), 1)
    }))
})

describe("a cancelled run", () => {
  test("has no Pod made", (api) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.flatMap(PodRunner, (pods) =>
          pods.adopt(sync, {
            prepare: Effect.die("must not be prepared"),
            runState: () => Effect.succeed("open"),
            isCancelled: Effect.succeed(true)
          })
        )
      )
      assert.strictEqual(error._tag, "Cancelled")
      assert.strictEqual(creates(api), 0)
    }))

  test("whose Pod comes while it is asked to stop: asked too", (api) =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      yield* watching(api)
      const asking = yield* Effect.forkChild(Effect.flatMap(PodRunner, (pods) => pods.askToStop(sync)))
      yield* eventually("it has been looked for", () =>
        api.count("GET", /\/pods\/olake-job-/) > 0 ? true : undefined
      )
      const late = {
        metadata: {
          name: PodSpec.nameOf(sync),
          uid: "uid-late",
          resourceVersion: "30",
          labels: {
            "app.kubernetes.io/managed-by": "olake-workers",
            [PodSpec.KEY_LABEL]: PodSpec.keyOf(run, "sync")
          }
        },
        status: { phase: "Pending" }
      }
      api.pods = [late]
      api.send({ type: "ADDED", object: late })
      assert.isFalse(yield* Fiber.join(asking))
      assert.strictEqual(deletes(api), 1)
    }))

  test("whose connector had ended well says so, and keeps its Pod", (api) =>
    Effect.gen(function* () {
      api.pods = [
        endedWell({
          metadata: {
            name: PodSpec.nameOf(sync),
            uid: "uid-first",
            labels: {
              "app.kubernetes.io/managed-by": "olake-workers",
              [PodSpec.KEY_LABEL]: PodSpec.keyOf(run, "sync")
            }
          }
        })
      ]
      assert.isTrue(yield* Effect.flatMap(PodRunner, (pods) => pods.askToStop(sync)))
      assert.strictEqual(deletes(api), 0)
    }))
})

describe("a create in doubt", () => {
  test("made, but its answer is lost: found by its name, one Pod, cleaned up", (api) =>
    Effect.gen(function* () {
      api.instead = (asked, response) => {
        if (!isPodCreate(asked.method, asked.url)) return false
        api.pods.push(createdFrom(asked, 11))
        response.destroy()
        return true
      }
      yield* Effect.forkChild(endWell(api))
      assert.isUndefined((yield* runScoped(check)).failure)
      assert.deepStrictEqual([creates(api), deletes(api), api.pods.length], [1, 1, 0])
    }))

  test("made after its waiter was interrupted: it is waited for, then deleted", (api) =>
    Effect.gen(function* () {
      api.instead = (asked, response) => {
        if (!isPodCreate(asked.method, asked.url)) return false
        setTimeout(() => {
          const made = createdFrom(asked, 11)
          api.pods.push(made)
          json(response, 201, made)
        }, 150)
        return true
      }
      const fiber = yield* Effect.forkChild(runScoped(check))
      yield* eventually("it is asked for", () => (creates(api) === 1 ? true : undefined))
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([creates(api), deletes(api), api.pods.length], [1, 1, 0])
    }))

  test("a conflict over the namespace's quota is tried again", (api) =>
    Effect.gen(function* () {
      let refused = 0
      const message = `Operation cannot be fulfilled on resourcequotas "jobs": the object has been modified; please apply your changes to the latest version and try again`
      api.instead = ({ method, url }, response) => {
        if (!isPodCreate(method, url) || (refused += 1) > 1) return false
        json(response, 409, { reason: "Conflict", message })
        return true
      }
      yield* Effect.forkChild(endWell(api))
      assert.isUndefined((yield* runScoped(check)).failure)
      assert.deepStrictEqual([creates(api), deletes(api)], [2, 1])
    }))

  test("one that is never taken ends with the server's own words", (api) =>
    Effect.gen(function* () {
      api.instead = ({ method, url }, response) => {
        if (!isPodCreate(method, url)) return false
        const body = { reason: "InternalError", message: "failed calling webhook" }
        json(response, 500, body, { "retry-after": "0.01" })
        return true
      }
      const error = yield* Effect.flip(runScoped(check))
      assert.strictEqual(error._tag, "KubernetesError")
      assert.include(error.message, "failed calling webhook")
      assert.deepStrictEqual([creates(api), deletes(api)], [5, 0])
    }))

  test("one that the watch does not know yet is adopted by its name (409)", (api) =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      api.instead = (asked, response) => {
        if (!isPodCreate(asked.method, asked.url)) return false
        api.pods.push(createdFrom(asked, 11))
        json(response, 409, { reason: "AlreadyExists", message: "already exists" })
        return true
      }
      yield* Effect.forkChild(endWell(api))
      assert.isUndefined((yield* adopt()).failure)
      assert.deepStrictEqual([creates(api), deletes(api)], [1, 0])
    }))

  test("somebody else's is left alone (409)", (api) =>
    Effect.gen(function* () {
      yield* Effect.flatMap(PodWatch, ({ synced }) => synced)
      api.pods = [{ metadata: { name: PodSpec.nameOf(check), uid: "uid-x", labels: { app: "other" } } }]
      api.instead = ({ method, url }, response) => {
        if (!isPodCreate(method, url)) return false
        json(response, 409, { reason: "AlreadyExists", message: "already exists" })
        return true
      }
      assert.strictEqual((yield* Effect.flip(runScoped(check)))._tag, "NameConflict")
      assert.deepStrictEqual([deletes(api), api.pods.length], [0, 1])
    }))
})

describe("a Pod that is going", () => {
  const mine = (over: object = {}) => ({
    metadata: {
      name: PodSpec.nameOf(sync),
      uid: "uid-first",
      resourceVersion: "5",
      labels: {
        "app.kubernetes.io/managed-by": "olake-workers",
        [PodSpec.KEY_LABEL]: PodSpec.keyOf(run, "sync")
      },
      ...over
    },
    status: { phase: "Running" }
  })
  const going = mine({ deletionTimestamp: "2026-11-23T17:00:30Z", deletionGracePeriodSeconds: 30 })
  const leave = (api: ScriptedPods) => {
    api.pods = []
    const metadata = { ...going.metadata, resourceVersion: "20" }
    api.send({ type: "DELETED", object: { ...going, metadata } })
  }

  test("ours: no other is made until it is gone", (api) =>
    Effect.gen(function* () {
      api.pods = [going]
      let prepared = 0
      const fiber = yield* Effect.forkChild(
        adopt(
          sync,
          Effect.sync(() => void (prepared += 1))
        )
      )
      yield* watching(api)
      assert.deepStrictEqual([creates(api), prepared], [0, 0])
      leave(api)
      yield* endWell(api).pipe(Effect.forkChild)
      assert.isUndefined((yield* Fiber.join(fiber)).failure)
      assert.deepStrictEqual([creates(api), prepared, deletes(api)], [1, 1, 0])
    }))

  test("a stop waits for it, and asks no second time", (api) =>
    Effect.gen(function* () {
      api.pods = [going]
      const fiber = yield* Effect.forkChild(stop)
      yield* watching(api)
      assert.isUndefined(fiber.pollUnsafe())
      leave(api)
      yield* Fiber.join(fiber)
      assert.strictEqual(deletes(api), 0)
    }))

  test("a stop asks once, and is done when it is gone, not when it is asked", (api) =>
    Effect.gen(function* () {
      api.pods = [mine()]
      api.instead = ({ method }, response) => {
        if (method !== "DELETE") return false
        json(response, 200, {})
        return true
      }
      const fiber = yield* Effect.forkChild(stop)
      yield* watching(api)
      yield* eventually("it was asked to go", () => (deletes(api) === 1 ? true : undefined))
      assert.isUndefined(fiber.pollUnsafe())
      leave(api)
      assert.isFalse(yield* Fiber.join(fiber))
      assert.strictEqual(deletes(api), 1)
    }))
})
