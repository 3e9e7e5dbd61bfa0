import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { LocalPods, type LocalPodsOptions, type Scenario } from "../../dev/local-pods/LocalPods.ts"
import type { WorkerConfig } from "../../src/Config.ts"
import type { KubernetesClient } from "../../src/kubernetes/api/KubernetesClient.ts"
import { PodRunner } from "../../src/kubernetes/PodRunner.ts"
import { keyOf, nameOf, ownerOf } from "../../src/kubernetes/pod/PodIdentity.ts"
import * as PodSpec from "../../src/kubernetes/pod/PodSpec.ts"
import { hasEndedWell } from "../../src/kubernetes/verdict/decide.ts"
import { lacksSecret } from "../../src/kubernetes/PodSecrets.ts"
import { PodWatch } from "../../src/kubernetes/PodWatch.ts"
import type { Job } from "../../src/olake/Job.ts"
import { eventually } from "../support/Conditions.ts"
import { testConfig } from "../support/TestConfig.ts"
import { check, run, sync } from "../support/scripted/ScriptedRunner.ts"
import { ending, type Faults, kubeWorld, noFaults, noRules } from "../support/KubeWorld.ts"

const name = nameOf(sync, testConfig().jobs.pvcName)

type Needs = LocalPods | KubernetesClient | PodWatch | PodRunner | Scope.Scope
interface Options {
  readonly scenario?: LocalPodsOptions["scenario"]
  readonly config?: Parameters<typeof WorkerConfig.layer>[0]
}
const test = (
  title: string,
  program: (faults: Faults) => Effect.Effect<void, unknown, Needs>,
  options: Options = {}
) =>
  it.live(title, () => {
    const faults = noFaults()
    return Effect.scoped(program(faults)).pipe(
      Effect.provide(kubeWorld(faults, options.scenario, options.config)),
      Effect.timeout("25 seconds")
    )
  })

const ends = (exitCode: number) => ({ scenario: (): Scenario => ending(exitCode, 30) })

const count = (kind: string) => Effect.map(LocalPods, ({ requests }) => requests()[kind] ?? 0)
const names = Effect.map(LocalPods, ({ pods }) => pods().map(({ metadata }) => metadata.name))
const untilGone = Effect.flatMap(LocalPods, ({ pods }) =>
  eventually("no Pod is left", () => (pods().length === 0 ? true : undefined))
)
const untilThere = Effect.flatMap(LocalPods, ({ pods }) =>
  eventually("the Pod is there", () =>
    pods().some(({ status }) => JSON.stringify(status).includes("Running")) ? true : undefined
  )
)
/** The watch hears of a Pod a moment after it is there. */
const untilKnown = Effect.gen(function* () {
  const { find } = yield* PodWatch
  const services = yield* Effect.context()
  yield* eventually("the watch knows the Pod", () =>
    Effect.runPromiseWith(services)(find((view) => view.phase === "Running"))
  )
})
/** And of its end, a moment after. */
const untilForgotten = Effect.gen(function* () {
  const { live } = yield* PodWatch
  yield* eventually("the watch knows no Pod", () => (Effect.runSync(live).length === 0 ? true : undefined))
})
const runScoped = (job: Job) => Effect.scoped(Effect.flatMap(PodRunner, (pods) => pods.run(job)))

const call = (method: string, path: string, body: unknown) =>
  Effect.flatMap(LocalPods, ({ url }) =>
    Effect.promise(() =>
      fetch(`${url}/api/v1/namespaces/default/${path}`, {
        method,
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body)
      })
    )
  )
const foreignPod = (
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>> = {}
) =>
  call("POST", "pods", {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels, annotations },
    spec: { containers: [{ name: "connector", image: "olakego/source-postgres:v1" }] }
  })

describe("run: a Pod that is gone with its scope", () => {
  test(
    "success costs one create and one delete",
    () =>
      Effect.gen(function* () {
        const exit = yield* runScoped(check)
        assert.isUndefined(exit.failure)
        yield* untilGone
        assert.deepStrictEqual(
          [yield* count("create pods"), yield* count("delete pods"), yield* count("get pods")],
          [1, 1, 0]
        )
      }),
    ends(0)
  )

  test(
    "a failure says why",
    () =>
      Effect.gen(function* () {
        const { failure } = yield* runScoped(check)
        assert.strictEqual(failure?.class, "ConnectorFailed")
        assert.strictEqual(failure?.exitCode, 3)
        yield* untilGone
      }),
    ends(3)
  )

  test("an interruption deletes it as well", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(runScoped(check))
      yield* untilThere
      yield* Fiber.interrupt(fiber)
      yield* untilGone
      assert.strictEqual(yield* count("delete pods"), 1)
    }))

  test(
    "a create whose answer is an error, though the Pod was made, is found by name: one Pod, cleaned up",
    (faults) =>
      Effect.gen(function* () {
        let creates = 0
        // The server's first answer says 500 after an earlier writer has made the very same Pod.
        const { url } = yield* LocalPods
        const spec = PodSpec.build(check, {
          namespace: "default",
          workerPod: "w",
          jobs: testConfig().jobs,
          rules: noRules,
          secretKey: "none",
          ownSecretName: "",
          marksExit: false,
          telemetryDisabled: false,
          now: "2026-11-23T17:00:00Z"
        })
        faults.refuse = ({ verb, resource }) =>
          verb === "create" && resource === "pods" && (creates += 1) === 2 ? { code: 500 } : undefined
        yield* Effect.promise(() =>
          fetch(`${url}/api/v1/namespaces/default/pods`, { method: "POST", body: JSON.stringify(spec) })
        )
        const exit = yield* runScoped(check)
        assert.isUndefined(exit.failure)
        yield* untilGone
        assert.strictEqual(yield* count("create pods"), 1 + (creates - 1))
      }),
    ends(0)
  )

  test(
    "a server that is busy at first is asked again",
    (faults) =>
      Effect.gen(function* () {
        let creates = 0
        faults.refuse = ({ verb, resource }) =>
          verb === "create" && resource === "pods" && (creates += 1) <= 1 ? { code: 503 } : undefined
        assert.isUndefined((yield* runScoped(check)).failure)
        assert.strictEqual(creates, 2)
      }),
    ends(0)
  )

  test("a refused create is an error of its own", (faults) =>
    Effect.gen(function* () {
      faults.refuse = ({ verb, resource }) =>
        verb === "create" && resource === "pods"
          ? { code: 403, body: JSON.stringify({ reason: "Forbidden", message: "exceeded quota: jobs" }) }
          : undefined
      const error = yield* Effect.flip(runScoped(check))
      assert(error._tag === "KubernetesError")
      assert.isTrue(error.isRetryable)
      assert.include(error.message, "exceeded quota")
      // The same again 5 minutes later: no longer worth waiting for.
      const clock = yield* Clock.Clock
      const later = {
        currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + 300_000),
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + 300_000,
        currentTimeNanos: clock.currentTimeNanos,
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
        sleep: (duration: Duration.Duration) => clock.sleep(duration)
      }
      const final = yield* Effect.flip(Effect.provideService(runScoped(check), Clock.Clock, later))
      assert.strictEqual(final._tag, "PodRefused")
    }))
})

describe("a Pod that outlives its waiter", () => {
  const pods = PodRunner
  const find = (job: Job = sync) => Effect.flatMap(pods, (runner) => runner.find(job, true))
  const create = (job: Job = sync) => Effect.flatMap(pods, (runner) => runner.create(job))
  const stop = (job: Job = sync) => Effect.flatMap(pods, (runner) => runner.stop(job))
  /** Waits for the run's Pod, which is made where there is none. */
  const attend = (job: Job = sync) =>
    Effect.gen(function* () {
      const { own } = yield* find(job)
      const pod = own ?? (yield* create(job))
      assert(!("refusal" in pod))
      return yield* (yield* pods).awaitEnd(job, pod, Effect.succeed(undefined))
    })

  test("left behind by one, found by the next, stopped once", () =>
    Effect.gen(function* () {
      const first = yield* Effect.forkChild(attend())
      yield* untilThere
      yield* untilKnown
      yield* Fiber.interrupt(first)
      assert.deepStrictEqual(yield* names, [name])
      // At once, so that it waits for the Pod when that is stopped.
      const second = yield* Effect.forkChild(attend(), { startImmediately: true })
      const found = yield* stop()
      assert.strictEqual(found?.phase, "Running")
      const { failure } = yield* Fiber.join(second)
      assert.strictEqual(failure?.class, "Stopped")
      assert.deepStrictEqual(yield* names, [])
      assert.strictEqual(yield* count("create pods"), 1)
    }))

  test(
    "one that had ended well says so when it is stopped",
    () =>
      Effect.gen(function* () {
        assert.isUndefined((yield* attend()).failure)
        const found = yield* stop()
        assert(found !== undefined)
        assert.isTrue(hasEndedWell(found))
        // It had ended: nothing is left to wait for but its name.
        yield* untilForgotten
        assert.isUndefined(yield* stop())
        assert.deepStrictEqual(yield* names, [])
      }),
    ends(0)
  )

  test("another run's is in the way, and no stop of this one touches it", () =>
    Effect.gen(function* () {
      const first = yield* Effect.forkChild(attend())
      yield* untilThere
      yield* untilKnown
      const later = { ...sync, run: { ...run, workflowId: "w-2", runId: "r-2" } }
      const { own, inTheWay } = yield* find(later)
      assert.isUndefined(own)
      assert.deepStrictEqual(
        inTheWay.map((pod) => ownerOf(pod).workflowId),
        ["w-1"]
      )
      // The server itself refuses a second writer.
      assert.property(yield* create(later), "refusal")
      assert.isUndefined(yield* stop(later))
      assert.deepStrictEqual(yield* names, [name])
      yield* Fiber.interrupt(first)
    }))

  test(
    "and makes room once it is removed",
    () =>
      Effect.gen(function* () {
        const { view } = yield* attend()
        const later = { ...sync, run: { ...run, runId: "r-2" } }
        yield* (yield* pods).remove(view)
        yield* (yield* pods).awaitGone(view)
        const exit = yield* attend(later)
        assert.isUndefined(exit.failure)
        assert.strictEqual(exit.view.labels["olake.io/key"], keyOf(later.run, "sync"))
        assert.strictEqual(yield* count("delete pods"), 1)
      }),
    ends(0)
  )

  test("somebody else's of that name is never touched", () =>
    Effect.gen(function* () {
      yield* foreignPod({ app: "other" })
      assert.strictEqual((yield* Effect.flip(create()))._tag, "NameConflict")
      // No watch tells of it: only a create meets it.
      assert.deepStrictEqual(yield* find(), { own: undefined, inTheWay: [] })
      assert.isUndefined(yield* stop())
      assert.deepStrictEqual(yield* names, [name])
      assert.strictEqual(yield* count("delete pods"), 0)
    }))

  test("is in nobody's way any more once it is gone, though somebody else's", () =>
    Effect.gen(function* () {
      yield* foreignPod({ app: "other" })
      yield* Effect.flip(create())
      yield* call("DELETE", `pods/${name}`, { gracePeriodSeconds: 0 })
      yield* untilGone
      assert.notProperty(yield* create(), "refusal")
    }))

  test(
    "an API server that goes away meanwhile changes no verdict",
    (faults) =>
      Effect.gen(function* () {
        const waiting = yield* Effect.forkChild(attend())
        yield* untilThere
        faults.refuse = () => ({ code: 503 })
        const { disconnect, requests } = yield* LocalPods
        disconnect()
        const before = requests()["watch pods"] ?? 0
        yield* eventually("the watch has tried again", () =>
          (requests()["watch pods"] ?? 0) > before ? true : undefined
        )
        faults.refuse = () => undefined
        assert.isUndefined((yield* Fiber.join(waiting)).failure)
      }),
    { scenario: () => ending(0, 600) }
  )
})

describe("the encryption key", () => {
  const secretKey = Redacted.make("marker-of-a-key")
  const withKey = { ...check, secretKey, args: ["check", "--encryption-key", "$(OLAKE_SECRET_KEY)"] }

  test(
    "is handed over in a Secret that its Pod owns",
    () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(runScoped(withKey))
        yield* untilThere
        const { url, pods } = yield* LocalPods
        const text = () =>
          fetch(`${url}/api/v1/namespaces/default/secrets`).then((response) => response.text())
        const secrets = yield* eventually("the Secret is there", async () => {
          const { items } = JSON.parse(await text()) as {
            items: ReadonlyArray<{ metadata: { ownerReferences: ReadonlyArray<{ uid: string }> } }>
          }
          return items.length === 1 ? items : undefined
        })
        assert.strictEqual(secrets[0]?.metadata.ownerReferences[0]?.uid, pods()[0]?.metadata.uid)
        assert.notInclude(JSON.stringify(pods()), "marker-of-a-key")
        yield* Fiber.interrupt(fiber)
      }),
    { config: { jobs: { secretKey } } }
  )

  test(
    "two Pods of one job never share a Secret: the end of the first would take the second's away",
    () =>
      Effect.gen(function* () {
        const pods = yield* PodRunner
        const secretNames: Array<string | undefined> = []
        for (const runId of ["r-1", "r-2"]) {
          const job = { ...sync, secretKey, run: { ...run, runId } }
          const made = yield* pods.create(job)
          assert(!("refusal" in made))
          assert.isTrue(lacksSecret(made))
          const { view } = yield* pods.awaitEnd(job, made, Effect.succeed(undefined))
          assert.isFalse(lacksSecret(view))
          secretNames.push(ownerOf(view).secretName)
          yield* pods.stop(job)
        }
        assert.isDefined(secretNames[0])
        assert.notStrictEqual(secretNames[0], secretNames[1])
      }),
    { config: { jobs: { secretKey } }, scenario: () => ending(0, 30) }
  )

  test(
    "stands in the Pod only where the worker may not create Secrets",
    (faults) =>
      Effect.gen(function* () {
        faults.refuse = ({ resource }) =>
          resource.endsWith("/selfsubjectaccessreviews")
            ? { code: 201, body: JSON.stringify({ status: { allowed: false } }) }
            : undefined
        const fiber = yield* Effect.forkChild(runScoped(withKey))
        yield* untilThere
        assert.isFalse(yield* Effect.flatMap(PodRunner, ({ mayCreateSecrets }) => mayCreateSecrets))
        assert.include(JSON.stringify(yield* Effect.map(LocalPods, ({ pods }) => pods())), "marker-of-a-key")
        yield* Fiber.interrupt(fiber)
      }),
    { config: { jobs: { secretKey } } }
  )
})
