import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { LocalPods } from "../../dev/local-pods/LocalPods.ts"
import {
  awaitGone,
  awaitPod,
  call,
  createPod,
  patch,
  PODS,
  pod,
  running,
  ended,
  SECRETS,
  shell,
  state
} from "../support/LocalApi.ts"
import { eventually, isAlive, temporaryFolder } from "../support/Conditions.ts"

layer(LocalPods.layer({ timing: { creating: 5, ending: 30, retrying: 30 } }), {
  timeout: "30 seconds",
  excludeTestServices: true
})("LocalPods", (it) => {
  it.effect("runs a Pod from Pending over Running to Succeeded", () =>
    Effect.gen(function* () {
      const created = yield* createPod("ok", shell("echo hello; sleep 0.2; echo bye"))
      assert.strictEqual(created.code, 201)
      assert.deepStrictEqual(created.body.status, { phase: "Pending", qosClass: "Burstable" })
      const up = yield* awaitPod("ok", running)
      assert.strictEqual(up.spec.nodeName, "local-pods")
      assert.isTrue(up.status.containerStatuses[0].ready)
      const early = yield* awaitPod("ok", (one) => state(one)?.terminated !== undefined)
      assert.strictEqual(early.status.phase, "Running")
      const over = yield* awaitPod("ok", ended)
      assert.deepInclude(state(over).terminated, { exitCode: 0, reason: "Completed" })
      assert.strictEqual((yield* call("GET", `${PODS}/ok/log`)).body, "hello\nbye\n")
      assert.strictEqual((yield* call("GET", `${PODS}/ok/log?tailLines=1&limitBytes=2`)).body, "by")
    })
  )

  it.effect("reports a failure with the end of its log", () =>
    Effect.gen(function* () {
      const container = { terminationMessagePolicy: "FallbackToLogsOnError" }
      yield* createPod("bad", shell("seq 1000 2000; echo last words >&2; exit 3", { container }))
      const over = yield* awaitPod("bad", ended)
      const { exitCode, reason, message } = state(over).terminated
      assert.deepStrictEqual([over.status.phase, exitCode, reason], ["Failed", 3, "Error"])
      assert.strictEqual(message.length, 2048)
      assert.isTrue(message.endsWith("2000\nlast words\n"))
    })
  )

  it.effect("cannot start what is not there", () =>
    Effect.gen(function* () {
      yield* createPod("no-program", { command: ["/no/such"] })
      const over = yield* awaitPod("no-program", ended)
      assert.deepInclude(state(over).terminated, { exitCode: 128, reason: "StartError" })
    })
  )

  it.effect("waits for an image that does not exist until it is deleted", () =>
    Effect.gen(function* () {
      yield* createPod("no-image", { image: "olakego/source-none:v1" })
      const pull = yield* awaitPod("no-image", (one) => state(one)?.waiting?.reason === "ErrImagePull")
      assert.match(state(pull).waiting.message, /^failed to pull and unpack image .*: not found$/)
      const backOff = yield* awaitPod("no-image", (one) => state(one)?.waiting?.reason === "ImagePullBackOff")
      assert.match(
        state(backOff).waiting.message,
        /^Back-off pulling image "olakego\/source-none:v1": ErrImagePull: /
      )
      assert.strictEqual(backOff.status.phase, "Pending")
      assert.strictEqual((yield* call("GET", `${PODS}/no-image/log`)).code, 400)
      yield* call("DELETE", `${PODS}/no-image`)
      yield* awaitGone("no-image")
    })
  )

  it.effect("expands variables, also those of a Secret it had to wait for", () =>
    Effect.gen(function* () {
      const env = [
        { name: "KEY", valueFrom: { secretKeyRef: { name: "late", key: "key" } } },
        { name: "PLAIN", value: "<$(KEY)>" }
      ]
      const command = ["/bin/echo", "$(KEY) $(PLAIN) $$(KEY) $(NONE)"]
      yield* createPod("secretive", { command, container: { env } })
      const waiting = yield* awaitPod(
        "secretive",
        (one) => state(one)?.waiting?.reason === "CreateContainerConfigError"
      )
      assert.strictEqual(state(waiting).waiting.message, 'secret "late" not found')
      yield* call("POST", SECRETS, { metadata: { name: "late" }, stringData: { key: "s3cret" } })
      yield* awaitPod("secretive", ended)
      assert.strictEqual(
        (yield* call("GET", `${PODS}/secretive/log`)).body,
        "s3cret <s3cret> $(KEY) $(NONE)\n"
      )
    })
  )

  it.effect("ends a Pod at its deadline", () =>
    Effect.gen(function* () {
      yield* createPod(
        "late",
        shell("trap 'exit 0' TERM; sleep 60 & wait", { spec: { activeDeadlineSeconds: 1 } })
      )
      const over = yield* awaitPod("late", ended)
      assert.deepInclude(over.status, { phase: "Failed", reason: "DeadlineExceeded" })
      assert.deepInclude(state(over).terminated, { exitCode: 0, reason: "Completed" })
    })
  )

  it.effect("a deleted Pod may end in peace", () =>
    Effect.gen(function* () {
      yield* createPod("gentle", shell("trap 'echo bye; exit 0' TERM; sleep 60 & wait"))
      const up = yield* awaitPod("gentle", running)
      const wrong = yield* call("DELETE", `${PODS}/gentle`, { preconditions: { uid: "other" } })
      assert.deepStrictEqual([wrong.code, wrong.body.reason], [409, "Conflict"])
      const { uid } = up.metadata
      const marked = yield* call("DELETE", `${PODS}/gentle`, {
        gracePeriodSeconds: 10,
        preconditions: { uid }
      })
      assert.strictEqual(marked.code, 200)
      assert.strictEqual(marked.body.metadata.deletionGracePeriodSeconds, 10)
      assert.isString(marked.body.metadata.deletionTimestamp)
      yield* awaitGone("gentle")
      assert.strictEqual((yield* call("GET", `${PODS}/gentle`)).code, 404)
    })
  )

  it.effect("one that does not heed SIGTERM is killed, with all it started", () =>
    Effect.gen(function* () {
      const dir = yield* temporaryFolder
      const file = path.join(dir, "pid")
      yield* createPod(
        "deaf",
        shell(`trap '' TERM; sleep 60 & echo $! > ${file}; while :; do sleep 0.1; done`)
      )
      yield* awaitPod("deaf", running)
      const pid = Number(yield* Effect.promise(() => fs.readFile(file, "utf8")))
      yield* call("DELETE", `${PODS}/deaf?gracePeriodSeconds=1`)
      yield* awaitGone("deaf")
      yield* eventually("the sleep is gone", () => (isAlive(pid) ? undefined : true))
    })
  )

  it.effect("answers refusals as an API server does", () =>
    Effect.gen(function* () {
      const first = yield* createPod("twice", { image: "none" })
      assert.strictEqual(first.code, 201)
      const again = yield* createPod("twice", { image: "none" })
      assert.deepStrictEqual(again.body, {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Failure",
        message: 'pods "twice" already exists',
        reason: "AlreadyExists",
        details: { name: "twice", kind: "pods" },
        code: 409
      })
      const bad = yield* createPod("Bad_Name")
      assert.deepStrictEqual([bad.code, bad.body.reason], [422, "Invalid"])
      const missing = yield* call("GET", `${PODS}/missing`)
      assert.deepStrictEqual([missing.code, missing.body.message], [404, 'pods "missing" not found'])
      assert.strictEqual((yield* call("GET", "/apis/apps/v1/deployments")).code, 404)
      const review = yield* call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
        spec: {}
      })
      assert.deepStrictEqual([review.code, review.body.status.allowed], [201, true])
      assert.strictEqual((yield* call("GET", "/readyz")).body, "ok")
      assert.strictEqual((yield* call("GET", "/version")).body.minor, "34")
      assert.strictEqual((yield* call("POST", `${PODS}?dryRun=All`, pod("dry"))).code, 201)
      assert.strictEqual((yield* call("GET", `${PODS}/dry`)).code, 404)
    })
  )

  it.effect("patches metadata under preconditions and holds finalizers", () =>
    Effect.gen(function* () {
      const { body } = yield* createPod("patched", { image: "none", labels: { a: "1" } })
      assert.strictEqual((yield* patch("patched", { resourceVersion: "1", labels: { b: "2" } })).code, 409)
      assert.strictEqual((yield* patch("patched", { uid: "other" })).code, 409)
      const patched = yield* patch("patched", {
        uid: body.metadata.uid,
        labels: { a: null, b: "2" },
        finalizers: ["olake.io/hold"]
      })
      assert.deepStrictEqual(patched.body.metadata.labels, { b: "2" })
      yield* call("DELETE", `${PODS}/patched?gracePeriodSeconds=0`)
      yield* awaitPod("patched", (one) => one.metadata.deletionTimestamp !== undefined)
      yield* patch("patched", { finalizers: null })
      yield* awaitGone("patched")
    })
  )
})
