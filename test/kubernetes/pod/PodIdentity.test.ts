/** Names, labels and annotations: whose a Pod is, and which Pods are in a job's way. */
import { assert, describe, it } from "@effect/vitest"
import { loadYaml } from "@kubernetes/client-node"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import * as PodIdentity from "../../../src/kubernetes/pod/PodIdentity.ts"
import { goNameOf, isInTheWayOf, isPodOf, nameOf, ownerOf } from "../../../src/kubernetes/pod/PodIdentity.ts"
import type { PodJson } from "../../../src/kubernetes/pod/PodJson.ts"
import { fromPod, type PodView } from "../../../src/kubernetes/pod/PodView.ts"
import type { Job, JobIdentity } from "../../../src/olake/Job.ts"
import { aPod } from "../../support/PodBuilder.ts"
import { testConfig } from "../../support/TestConfig.ts"

/** The volume claim of the runs. */
const CLAIM = testConfig().jobs.pvcName

const run = { temporalNamespace: "default", taskQueue: "q", workflowId: "w-1", runId: "r-1" }
const job: Job = {
  operation: "sync",
  connector: "postgres",
  version: "v1",
  args: ["sync"],
  secretKey: undefined,
  directory: "w-1",
  files: [],
  jobId: 7,
  run,
  temporalNamespaceId: "ns-id-1",
  timeout: Duration.hours(700)
}
const NOW = "2026-11-23T17:00:00.000Z"

/** The Pod that this worker makes of a job, as far as its metadata go. */
const podOf = (of: Job, { claim = CLAIM, secret }: { claim?: string; secret?: string } = {}): PodView =>
  fromPod({
    metadata: {
      name: nameOf(of, claim),
      uid: "uid-1",
      labels: PodIdentity.labelsOf(of),
      annotations: PodIdentity.annotationsOf(of, "worker-0", secret, NOW)
    },
    spec: { volumes: [{ persistentVolumeClaim: { claimName: claim } }] }
  })

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/

describe("names", () => {
  it.prop(
    "are valid for any workflow id and differ where the ids differ",
    [Schema.String, Schema.String],
    ([a, b]) => {
      const name = (workflowId: string) =>
        nameOf({ ...job, operation: "check", run: { ...run, workflowId } }, CLAIM)
      return DNS_LABEL.test(name(a)) && (a === b) === (name(a) === name(b))
    }
  )

  it("two ids with the same first 63 characters have two Pods", () => {
    const long = "discover-catalog-postgres-".padEnd(63, "x")
    const name = (workflowId: string) =>
      nameOf({ ...job, operation: "discover", run: { ...run, workflowId } }, CLAIM)
    assert.notStrictEqual(name(`${long}1`), name(`${long}2`))
  })

  it("two runs of one workflow id have two Pods, but one job has one writer's name", () => {
    const other = { ...run, runId: "r-2" }
    const check = { ...job, operation: "check" } as const
    assert.notStrictEqual(nameOf(check, CLAIM), nameOf({ ...check, run: other }, CLAIM))
    assert.strictEqual(nameOf(job, CLAIM), nameOf({ ...job, run: other }, CLAIM))
    assert.notStrictEqual(PodIdentity.keyOf(run, "sync"), PodIdentity.keyOf(other, "sync"))
  })

  it.prop(
    "of a writer are its job's on that volume claim, whatever asks for it",
    [Schema.String, Schema.String, Schema.String],
    ([temporalNamespace, taskQueue, workflowId]) => {
      const other = { ...job, run: { ...run, temporalNamespace, taskQueue, workflowId } }
      return (
        nameOf(other, CLAIM) === nameOf(job, CLAIM) &&
        nameOf({ ...other, operation: "clear-destination" }, CLAIM) === nameOf(job, CLAIM)
      )
    }
  )

  it("of two jobs, and of one job on two volume claims, differ", () => {
    assert.notStrictEqual(nameOf({ ...job, jobId: 8 }, CLAIM), nameOf(job, CLAIM))
    assert.notStrictEqual(nameOf(job, "another-claim"), nameOf(job, CLAIM))
  })

  it("the longest job id still fits", () =>
    assert.match(nameOf({ ...job, jobId: Number.MAX_SAFE_INTEGER }, CLAIM), DNS_LABEL))

  it.prop("any text becomes a valid label value", [Schema.String], ([text]) =>
    LABEL_VALUE.test(PodIdentity.labelValue(text))
  )
})

describe("what a Pod says of whose it is", () => {
  it("is what it was made with", () => {
    assert.deepStrictEqual(ownerOf(podOf(job, { secret: "own-secret" })), {
      isManaged: true,
      isGos: false,
      operation: "sync",
      isWriter: true,
      jobId: 7,
      connector: "postgres",
      workflowId: "w-1",
      runId: "r-1",
      temporalNamespace: "default",
      temporalNamespaceId: "ns-id-1",
      createdAt: Date.parse(NOW),
      secretName: "own-secret"
    })
  })

  it.prop(
    "comes back whole for any run, however long its ids",
    [Schema.String, Schema.String, Schema.String, Schema.String],
    ([workflowId, runId, temporalNamespace, temporalNamespaceId]) => {
      const owner = ownerOf(
        podOf({ ...job, run: { ...run, workflowId, runId, temporalNamespace }, temporalNamespaceId })
      )
      return (
        owner.workflowId === workflowId &&
        owner.runId === runId &&
        owner.temporalNamespace === temporalNamespace &&
        (owner.temporalNamespaceId ?? "") === temporalNamespaceId
      )
    }
  )

  it("is absent where the Pod does not say, or says nonsense", () => {
    const short = ownerOf(podOf({ ...job, operation: "check", jobId: 0, temporalNamespaceId: "" }))
    assert.deepInclude(short, { isWriter: false, jobId: 0 })
    assert.notProperty(short, "temporalNamespaceId")
    assert.notProperty(short, "secretName")
    const odd = aPod()
      .labelled({ "olake.io/job-id": "seven" })
      .annotated({ "olake.io/created-at": "yesterday" })
    assert.deepStrictEqual(ownerOf(odd.view()), {
      isManaged: true,
      isGos: true,
      operation: "",
      isWriter: false,
      jobId: 0,
      connector: ""
    })
    assert.isFalse(ownerOf({ labels: {}, annotations: {} }).isManaged)
  })

  it("goes by the manager's label, then by the run's key", () => {
    const ours = podOf(job)
    const other: JobIdentity = { ...job, run: { ...run, runId: "r-2" } }
    assert.isTrue(isPodOf(ours, job))
    assert.isFalse(isPodOf(ours, other))
    assert.isFalse(isPodOf(ours, { ...job, operation: "clear-destination" }))
    assert.isFalse(isPodOf(aPod().view(), job))
    const foreign = { ...ours, labels: { ...ours.labels, "app.kubernetes.io/managed-by": "Helm" } }
    assert.isFalse(ownerOf(foreign).isManaged)
    assert.isFalse(ownerOf(foreign).isGos)
  })
})

describe("in the way of a writer", () => {
  it("is every writer of its job on its volume claim, whatever Temporal namespace, queue or workflow made it", () => {
    for (const other of [
      { temporalNamespace: "another" },
      { taskQueue: "another" },
      { workflowId: "another" },
      { runId: "another" }
    ]) {
      const pod = podOf({ ...job, run: { ...run, ...other } })
      assert.isTrue(isInTheWayOf(pod, job, CLAIM))
      // Of an older worker, under another name.
      assert.isTrue(isInTheWayOf({ ...pod, name: "olake-job-7-older" }, job, CLAIM))
      assert.isTrue(isInTheWayOf(pod, { ...job, operation: "clear-destination" }, CLAIM))
    }
  })

  it("is no other job's Pod, none on another volume claim, and none that does not write", () => {
    const other = { ...job, run: { ...run, workflowId: "another" } }
    assert.isFalse(isInTheWayOf(podOf({ ...other, jobId: 8 }), job, CLAIM))
    assert.isFalse(isInTheWayOf(podOf(other, { claim: "another-claim" }), job, CLAIM))
    assert.isFalse(isInTheWayOf(podOf({ ...other, operation: "check" }), job, CLAIM))
    assert.isFalse(isInTheWayOf(podOf(other), { ...job, operation: "check" }, CLAIM))
  })

  it("is whatever has its name, though no worker made it", () => {
    const stranger = aPod().named(nameOf(job, CLAIM)).labelled({ "app.kubernetes.io/managed-by": "Helm" })
    assert.isTrue(isInTheWayOf(stranger.view(), job, CLAIM))
    assert.isFalse(isInTheWayOf(stranger.named("other").view(), job, CLAIM))
  })
})

describe("a Pod that the Go worker made", () => {
  const recorded = (name: string) => {
    const file = new URL(`../../fixtures/go/${name}-running.yaml`, import.meta.url)
    return fromPod(loadYaml<PodJson>(readFileSync(file, "utf8")))
  }
  const of = (over: Partial<Job>, workflowId: string): Job => ({
    ...job,
    ...over,
    run: { ...run, workflowId }
  })
  const goSync = recorded("sync")

  it("is its run's, by workflow and operation", () => {
    const own = of({ jobId: 100 }, "sync-123-100")
    assert.isTrue(isPodOf(goSync, own))
    assert.isTrue(isInTheWayOf(goSync, own, CLAIM))
    // Temporal's reset begins another run of the same workflow: still its Pod.
    assert.isTrue(isPodOf(goSync, { ...own, run: { ...own.run, runId: "r-2" } }))
    const check = of({ operation: "check" }, "test-connection-source-probe-1795440581034-0")
    assert.isTrue(isPodOf(recorded("check"), check))
    assert.deepInclude(ownerOf(goSync), {
      isManaged: true,
      isGos: true,
      isWriter: true,
      jobId: 100,
      workflowId: "sync-123-100"
    })
  })

  it("is in the way of every other writer of its job, and of nobody else", () => {
    const later = of({ jobId: 100 }, "sync-123-100-2026-11-24T00:00:00Z")
    assert.isTrue(isInTheWayOf(goSync, later, CLAIM))
    assert.isFalse(isPodOf(goSync, later))
    assert.isTrue(isInTheWayOf(goSync, { ...later, operation: "clear-destination" }, CLAIM))
    assert.isFalse(isInTheWayOf(goSync, later, "another-claim"))
    assert.isFalse(isInTheWayOf(goSync, of({ jobId: 101 }, "sync-123-101"), CLAIM))
    assert.isFalse(isInTheWayOf(goSync, { ...later, operation: "check" }, CLAIM))
    assert.isFalse(isInTheWayOf(recorded("check"), later, CLAIM))
  })

  it("has the name that the Go worker gives it", () => {
    assert.strictEqual(goNameOf("sync-123-100"), goSync.name)
    assert.strictEqual(goNameOf("test-connection-source-probe-1795440581034-0"), recorded("check").name)
    assert.strictEqual(goNameOf("sync-123-7-2026-01-19T13:45:09Z"), "sync-123-7-2026-01-19t13-45-09z")
    assert.strictEqual(goNameOf(`_a.b:${"x".repeat(58)}-y`), `a-b-${"x".repeat(58)}`)
  })
})
