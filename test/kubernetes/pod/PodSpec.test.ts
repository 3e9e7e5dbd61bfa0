import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import type { Job } from "../../../src/olake/Job.ts"
import { keyOf } from "../../../src/kubernetes/pod/PodIdentity.ts"
import * as PodSpec from "../../../src/kubernetes/pod/PodSpec.ts"
import { noRules } from "../../support/KubeWorld.ts"
import { testConfig } from "../../support/TestConfig.ts"

const { jobs } = testConfig()

const run = {
  temporalNamespace: "default",
  taskQueue: "q",
  workflowId: "sync-123-7-2026-01-19T13:45:09Z",
  runId: "r-1"
}
const job: Job = {
  operation: "sync",
  connector: "postgres",
  version: "v0.2.0",
  args: ["sync", "--config", "/mnt/config/config.json"],
  secretKey: undefined,
  directory: "0123abcd",
  files: [],
  jobId: 7,
  run,
  temporalNamespaceId: "ns-id-1",
  timeout: Duration.hours(700)
}

const build = (
  over: Partial<Job> = {},
  jobsOver: Partial<typeof jobs> = {},
  secretKey: PodSpec.SecretKeySource = "none",
  marksExit = false,
  telemetryDisabled = false
) =>
  PodSpec.build(
    { ...job, ...over },
    {
      namespace: "olake",
      workerPod: "worker-0",
      jobs: { ...jobs, ...jobsOver },
      rules: { ...noRules, mapping: jobsOver.mapping ?? new Map() },
      secretKey,
      ownSecretName: "own-secret",
      marksExit,
      telemetryDisabled,
      now: "2026-11-23T17:00:00.000Z"
    }
  )

describe("the Pod", () => {
  it("has OLake's labels and annotations", () => {
    const { metadata } = build()
    assert.deepStrictEqual(metadata?.labels, {
      "app.kubernetes.io/name": "olake",
      "app.kubernetes.io/component": "postgres-sync",
      "app.kubernetes.io/managed-by": "olake-workers",
      "olake.io/operation-type": "sync",
      "olake.io/connector": "postgres",
      "olake.io/job-id": "7",
      "olake.io/workflow-id": "sync-123-7-2026-01-19T13-45-09Z",
      "olake.io/key": keyOf(run, "sync")
    })
    assert.include(metadata?.annotations, {
      "olake.io/created-by-pod": "olake.io/olake-workers/worker-0",
      "olake.io/created-at": "2026-11-23T17:00:00.000Z",
      "olake.io/workflow-id": run.workflowId,
      "olake.io/run-id": "r-1",
      "olake.io/temporal-namespace": "default",
      "olake.io/temporal-namespace-id": "ns-id-1"
    })
    const untold = build({ temporalNamespaceId: "" }).metadata?.annotations
    assert.notProperty(untold, "olake.io/temporal-namespace-id")
  })

  it("mounts the run's own directory, twice, and nothing else", () => {
    const { spec } = build()
    assert.deepStrictEqual(spec?.volumes, [
      { name: "job-storage", persistentVolumeClaim: { claimName: jobs.pvcName } }
    ])
    assert.deepStrictEqual(spec?.containers[0]?.volumeMounts, [
      { name: "job-storage", mountPath: "/mnt/config", subPath: "0123abcd" },
      { name: "job-storage", mountPath: "/mnt/shared", subPath: "0123abcd" }
    ])
  })

  it("runs with as few rights as it can, to its deadline, without a probe", () => {
    const { spec } = build()
    assert.strictEqual(spec?.activeDeadlineSeconds, 700 * 3600)
    assert.strictEqual(spec?.restartPolicy, "Never")
    assert.strictEqual(spec?.automountServiceAccountToken, false)
    assert.deepStrictEqual(spec?.securityContext, { seccompProfile: { type: "RuntimeDefault" } })
    assert.deepStrictEqual(spec?.containers[0]?.securityContext, { allowPrivilegeEscalation: false })
    assert.isUndefined(spec?.containers[0]?.livenessProbe)
    assert.isUndefined(spec?.serviceAccountName)
  })

  it("is what a namespace that enforces Pod Security `restricted` takes, where it is not to run as root", () => {
    const { spec } = build({}, { podSecurityContext: { runAsNonRoot: true, runAsUser: 1000 } })
    assert.deepStrictEqual(spec?.containers[0]?.securityContext, {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] }
    })
    assert.deepStrictEqual(spec?.securityContext?.seccompProfile, { type: "RuntimeDefault" })
  })

  it("tells the connector to send no telemetry where that is switched off", () => {
    const told = (disabled: boolean) =>
      build({}, {}, "none", false, disabled).spec?.containers[0]?.env?.filter(
        ({ name }) => name === "TELEMETRY_DISABLED"
      )
    assert.deepStrictEqual(told(true), [{ name: "TELEMETRY_DISABLED", value: "true" }])
    assert.deepStrictEqual(told(false), [])
  })

  it("a named service account brings its token", () => {
    const { spec } = build({}, { serviceAccountName: "olake-job" })
    assert.strictEqual(spec?.serviceAccountName, "olake-job")
    assert.isUndefined(spec?.automountServiceAccountToken)
  })

  it("asks for what is set and limits only where told to", () => {
    assert.deepStrictEqual(build().spec?.containers[0]?.resources, {
      requests: { cpu: "100m", memory: "256Mi" }
    })
    assert.deepStrictEqual(build({}, { memoryLimit: "2Gi" }).spec?.containers[0]?.resources?.limits, {
      memory: "2Gi"
    })
  })

  it("places syncs by the mapping, apart from each other where possible; short runs anywhere", () => {
    const mapping = new Map([[7, { "node-type": "gpu" }]])
    const placed = build({}, { mapping }).spec
    assert.deepStrictEqual(placed?.nodeSelector, { "node-type": "gpu" })
    assert.isUndefined(placed?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution)
    assert.lengthOf(
      placed?.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [],
      1
    )
    assert.isUndefined(build({ jobId: 8 }, { mapping }).spec?.nodeSelector)
    const short = build({ operation: "check" }, { mapping }).spec
    assert.isUndefined(short?.nodeSelector)
    assert.isUndefined(short?.affinity)
  })

  for (const [base, image] of [
    ["", "olakego/source-postgres:v0.2.0"],
    ["registry-1.docker.io", "olakego/source-postgres:v0.2.0"],
    ["registry.example.com/mirror/", "registry.example.com/mirror/olakego/source-postgres:v0.2.0"]
  ] as const) {
    it(`image from ${base || "nowhere in particular"}`, () =>
      assert.strictEqual(PodSpec.imageOf(job, base), image))
  }
})

describe("the encryption key", () => {
  const secretKey = Redacted.make("marker-of-a-secret")
  const withKey = { secretKey, args: ["sync", "--encryption-key", "$(OLAKE_SECRET_KEY)"] }
  const source = (over: Partial<typeof jobs>, mayCreate: boolean) =>
    PodSpec.secretKeySource({ ...job, ...withKey }, { ...jobs, secretKey, ...over }, mayCreate)

  it("comes from a named Secret, else from one of its own, else as the Go worker does it", () => {
    assert.strictEqual(PodSpec.secretKeySource(job, jobs, true), "none")
    assert.strictEqual(source({ secretName: "olake-secret" }, true), "namedSecret")
    assert.strictEqual(source({}, true), "ownSecret")
    assert.strictEqual(source({}, false), "literal")
  })

  it("a key that came with the request is not the one in the named Secret", () => {
    const other = Redacted.make("another-key")
    assert.strictEqual(
      PodSpec.secretKeySource(
        { ...job, secretKey: other },
        { ...jobs, secretKey, secretName: "olake-secret" },
        true
      ),
      "ownSecret"
    )
  })

  for (const kind of ["namedSecret", "ownSecret"] as const) {
    it(`stands nowhere in the Pod (${kind})`, () => {
      const pod = build(withKey, { secretKey, secretName: "olake-secret" }, kind)
      assert.notInclude(JSON.stringify(pod), "marker-of-a-secret")
      assert.isObject(
        pod.spec?.containers[0]?.env?.find(({ name }) => name === "OLAKE_SECRET_KEY")?.valueFrom
      )
    })
  }

  it("a Secret of its own goes with its Pod", () => {
    const secret = PodSpec.ownSecret({ ...job, ...withKey }, "pod-1f", { name: "pod", uid: "uid-1" }, "olake")
    assert.deepStrictEqual(secret.metadata?.ownerReferences, [
      { apiVersion: "v1", kind: "Pod", name: "pod", uid: "uid-1" }
    ])
    assert.deepStrictEqual(secret.stringData, { OLAKE_SECRET_KEY: "marker-of-a-secret" })
  })
})

describe("the shell around a connector", () => {
  const main = (marksExit: boolean) => build({}, {}, "none", marksExit).spec?.containers[0]

  it("is the command; arguments and the rest stay, and the Pod's uid is in its environment", () => {
    const [plain, marking] = [main(false), main(true)]
    assert.isUndefined(plain?.command)
    assert.deepStrictEqual(marking?.command?.slice(0, 2), ["/bin/sh", "-c"])
    assert.deepStrictEqual(marking?.args, plain?.args)
    const uid = { name: "OLAKE_POD_UID", valueFrom: { fieldRef: { fieldPath: "metadata.uid" } } }
    assert.deepStrictEqual(marking?.env, [uid, ...(plain?.env ?? [])])
  })

  it("says nothing that Kubernetes would take for a variable of its own", () => {
    assert.notMatch(main(true)?.command?.join("\n") ?? "", /\$\$|\$\(/)
  })

  it("is what it is", ({ expect }) => expect(main(true)?.command).toMatchSnapshot())
})
