import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { readdirSync, readFileSync } from "node:fs"
import { decide, type Gone } from "../../../src/kubernetes/verdict/decide.ts"
import {
  defaultTimers,
  type PodStatusOptions,
  type Verdict
} from "../../../src/kubernetes/verdict/Verdict.ts"
import type { PodJson } from "../../../src/kubernetes/pod/PodJson.ts"
import { fromPod, type PodView } from "../../../src/kubernetes/pod/PodView.ts"
import { aPod, type PodBuilder, START } from "../../support/PodBuilder.ts"

const options = (over: Partial<PodStatusOptions> = {}): PodStatusOptions => ({
  kind: "long",
  stopRequested: false,
  timers: defaultTimers,
  ...over
})

/** What a verdict comes to: `9 Succeeded`, `12 ConnectorFailed`, `2 queued > Unschedulable`. */
const summary = (verdict: Verdict): string => {
  switch (verdict._tag) {
    case "Succeeded":
      return `${verdict.row} Succeeded`
    case "Failed":
      return `${verdict.row} ${verdict.failure.class}`
    case "Pending":
      return `${verdict.row} ${verdict.stage}${verdict.giveUp === undefined ? "" : ` > ${verdict.giveUp.failure.class}`}`
  }
}

const rows: ReadonlyArray<readonly [string, PodBuilder, string, Partial<PodStatusOptions>?]> = [
  ["new", aPod(), "1 starting > StartTimeout"],
  ["creating", aPod().waiting("ContainerCreating"), "1 starting > StartTimeout"],
  ["unschedulable", aPod().unscheduled("Unschedulable", "0/1 nodes"), "2 queued > Unschedulable"],
  ["gated", aPod().unscheduled("SchedulingGated", "gate"), "3 queued"],
  ["registry busy", aPod().waiting("ErrImagePull", "pull QPS exceeded"), "4 pulling > ImageUnpullable"],
  ["no such image", aPod().waiting("ImagePullBackOff", "manifest unknown"), "5 pulling > ImageUnpullable"],
  ["unclear pull", aPod().waiting("ErrImagePull", "odd"), "5 pulling > ImageUnpullable"],
  ["image name", aPod().waiting("InvalidImageName", "bad"), "6 pulling > ImageUnpullable"],
  [
    "missing Secret",
    aPod().waiting("CreateContainerConfigError", "secret x not found"),
    "7 starting > BadConfig"
  ],
  ["cannot create", aPod().waiting("CreateContainerError", "odd"), "8 starting > BadConfig"],
  ["running", aPod().running(), "0 running"],
  ["exit 0, phase late", aPod().phase("Running").exited(0), "9 Succeeded"],
  ["exit 0 while Pending", aPod().exited(0), "9 Succeeded"],
  ["exit 0 after eviction", aPod().exited(0).disrupted("EvictionByEvictionAPI"), "21 Evicted"],
  ["exit 1 after preemption", aPod().exited(1).disrupted("PreemptionByScheduler"), "20 Preempted"],
  ["exit 0 after kubectl delete", aPod().exited(0).deleted(), "26 DeletedExternally"],
  ["exit 0 long before a delete", aPod().exited(0, "Completed", 10).deleted(59), "9 Succeeded"],
  [
    "exit 1 long before a taint",
    aPod().exited(1, "Error", 10).disrupted("DeletionByTaintManager", 59),
    "12 ConnectorFailed"
  ],
  ["a child was OOMKilled", aPod().exited(0, "OOMKilled"), "11 Succeeded"],
  ["exit 1", aPod().exited(1), "12 ConnectorFailed"],
  ["cannot start", aPod().exited(128, "StartError"), "13 BadConfig"],
  ["exit 126", aPod().exited(126), "13 BadConfig"],
  ["out of memory", aPod().exited(137, "OOMKilled"), "14 OOM"],
  [
    "out of memory, then evicted",
    aPod().exited(137, "OOMKilled").disrupted("TerminationByKubelet"),
    "14 OOM"
  ],
  ["OOMKilled 143", aPod().exited(143, "OOMKilled"), "15 ConnectorFailed"],
  ["killed", aPod().exited(137), "16 finishing > Killed"],
  ["terminated", aPod().exited(143), "16 finishing > Interrupted"],
  ["unknown end", aPod().unknownEnd(), "17 finishing > Interrupted"],
  ["node restarted", aPod().restartedNode(), "17 finishing > Interrupted"],
  ["node pressure", aPod().phase("Failed", "Evicted", "The node was low on resource: memory."), "18 Evicted"],
  [
    "own disk limit",
    aPod().phase("Failed", "Evicted", `Usage of EmptyDir volume "d" exceeds the limit "5Mi".`),
    "19 StorageLimit"
  ],
  [
    "own disk limit of one container",
    aPod().phase(
      "Failed",
      "Evicted",
      `Container connector exceeded its local ephemeral storage limit "5Mi".`
    ),
    "19 StorageLimit"
  ],
  ["evicting", aPod().running().disrupted("EvictionByEvictionAPI"), "21 stopping > Evicted"],
  [
    "node shut down",
    aPod().phase("Failed", "Terminated", "Pod was terminated in response to imminent node shutdown."),
    "22 NodeShutdown"
  ],
  [
    "node lost, process may write",
    aPod().running().disrupted("DeletionByTaintManager").deleted(),
    "23 node-lost > NodeLost"
  ],
  ["node removed", aPod().phase("Failed").disrupted("DeletionByPodGC"), "24 NodeLost"],
  ["deadline, though it exited 0", aPod().phase("Failed", "DeadlineExceeded").exited(0), "25 Deadline"],
  ["being deleted", aPod().running().deleted(), "26 stopping > DeletedExternally"],
  ["node refuses", aPod().phase("Failed", "OutOfcpu", "no cpu"), "27 AdmissionRejected"],
  ["node refuses what ran already", aPod().exited(137).phase("Failed", "NodeAffinity"), "28 Interrupted"],
  ["phase Unknown", aPod().phase("Unknown"), "29 running"],
  ["init failed", aPod().initExited(1), "30 BadConfig"],
  ["stopped by us", aPod().running().deleted(), "31 stopping > Stopped", { stopRequested: true }],
  ["a sidecar runs on", aPod().running("istio-proxy").exited(0), "9 Succeeded"],
  ["Failed without a word", aPod().phase("Failed"), "10 Interrupted"]
]

describe("the verdict table", () => {
  for (const [name, pod, expected, over] of rows) {
    it(`${name}: ${expected}`, () => assert.strictEqual(summary(decide(pod.view(), options(over))), expected))
  }

  const gone = (last: PodView, over: Partial<PodStatusOptions> = {}) =>
    summary(decide({ gone: true, last }, options(over)))
  it("gone while running: deleted from outside", () =>
    assert.strictEqual(gone(aPod().running().view()), "26 DeletedExternally"))
  it("gone because we asked", () =>
    assert.strictEqual(gone(aPod().running().view(), { stopRequested: true }), "31 Stopped"))
  it("gone after it had succeeded", () => assert.strictEqual(gone(aPod().exited(0).view()), "9 Succeeded"))
  it("gone while evicted", () =>
    assert.strictEqual(gone(aPod().running().disrupted("EvictionByEvictionAPI").view()), "21 Evicted"))

  it("somebody who waits is told sooner", () => {
    const after = (kind: "short" | "long", pod: PodBuilder) => {
      const verdict = decide(pod.view(), options({ kind }))
      return verdict._tag === "Pending" ? (verdict.giveUp?.after ?? 0) : 0
    }
    for (const pod of [aPod().unscheduled("Unschedulable", ""), aPod().waiting("ErrImagePull", "odd")]) {
      assert.isBelow(after("short", pod), after("long", pod))
    }
    // Missing image tags are reported within 90 s.
    assert.isAtMost(after("long", aPod().waiting("ImagePullBackOff", "not found")), 80_000)
  })
})

describe("a marker of the connector's shell", () => {
  type Noted = readonly [exitCode: number, stopped: boolean, uid?: string]
  const overdue = aPod().phase("Failed", "DeadlineExceeded")
  const overfull = aPod().phase("Failed", "Evicted", `Usage of EmptyDir volume "d" exceeds the limit "5Mi".`)
  const refused = aPod().phase("Failed", "OutOfcpu", "no cpu")
  const cases: ReadonlyArray<readonly [string, PodView | Gone, Noted, string, Partial<PodStatusOptions>?]> = [
    ["deleted, but had ended well", aPod().exited(0).deleted().view(), [0, false], "9 Succeeded"],
    [
      "drained, but had failed",
      aPod().exited(1).disrupted("EvictionByEvictionAPI").view(),
      [1, false],
      "12 ConnectorFailed"
    ],
    [
      "preempted while it worked",
      aPod().exited(0).disrupted("PreemptionByScheduler").view(),
      [0, true],
      "20 Preempted"
    ],
    ["stopped by nobody known, exit 0", aPod().exited(0).view(), [0, true], "10 Interrupted"],
    ["ended well by itself", aPod().exited(0).view(), [0, false], "9 Succeeded"],
    ["a child was OOMKilled", aPod().exited(0, "OOMKilled").view(), [0, false], "11 Succeeded"],
    [
      "a child was OOMKilled, then stopped",
      aPod().exited(0, "OOMKilled").view(),
      [0, true],
      "10 Interrupted"
    ],
    ["unknown end, had ended well", aPod().unknownEnd().view(), [0, false], "9 Succeeded"],
    ["unknown end, had failed", aPod().unknownEnd().view(), [1, false], "12 ConnectorFailed"],
    ["unknown end, was stopped", aPod().unknownEnd().view(), [0, true], "17 finishing > Interrupted"],
    ["node restarted, had ended well", aPod().restartedNode().view(), [0, false], "9 Succeeded"],
    ["gone, had ended well", { gone: true, last: aPod().running().view() }, [0, false], "9 Succeeded"],
    ["gone, had failed", { gone: true, last: aPod().running().view() }, [1, false], "12 ConnectorFailed"],
    ["gone, was stopped", { gone: true, last: aPod().running().view() }, [0, true], "26 DeletedExternally"],
    [
      "gone, of an earlier Pod",
      { gone: true, last: aPod().running().view() },
      [0, false, "uid-0"],
      "26 DeletedExternally"
    ],
    [
      "gone because we asked",
      { gone: true, last: aPod().running().view() },
      [0, false],
      "31 Stopped",
      { stopRequested: true }
    ],
    ["killed by a signal", aPod().exited(137).view(), [137, false], "16 finishing > Killed"],
    ["out of memory", aPod().exited(137, "OOMKilled").view(), [137, false], "14 OOM"],
    ["its deadline came, had ended well", overdue.exited(0).view(), [0, false], "9 Succeeded"],
    ["its deadline came, had failed", overdue.exited(1).view(), [1, false], "12 ConnectorFailed"],
    ["its deadline came, could not be run", overdue.exited(127).view(), [127, false], "13 BadConfig"],
    ["its deadline has stopped it", overdue.exited(0).view(), [0, true], "25 Deadline"],
    ["its deadline has killed it", overdue.exited(137).view(), [137, false], "25 Deadline"],
    ["its deadline came, of an earlier Pod", overdue.exited(0).view(), [0, false, "uid-0"], "25 Deadline"],
    [
      "its deadline came after we stopped it",
      overdue.exited(0).view(),
      [0, false],
      "25 Deadline",
      { stopRequested: true }
    ],
    ["too much disk, had ended well", overfull.exited(137).view(), [0, false], "9 Succeeded"],
    ["too much disk, had failed", overfull.exited(137).view(), [1, false], "12 ConnectorFailed"],
    ["too much disk, stopped for that", overfull.exited(0).view(), [0, true], "19 StorageLimit"],
    ["node refuses it, had ended well", refused.view(), [0, false], "9 Succeeded"],
    ["node refuses it, had failed", refused.view(), [1, false], "12 ConnectorFailed"],
    ["node refuses it, was stopped", refused.view(), [0, true], "27 AdmissionRejected"],
    ["out of memory, had ended well", aPod().exited(137, "OOMKilled").view(), [0, false], "9 Succeeded"],
    ["failed, and says why", aPod().exited(1, "OOMKilled").view(), [1, false], "15 ConnectorFailed"],
    ["not yet seen to have ended", aPod().running().view(), [0, false], "9 Succeeded"],
    ["runs, of an earlier Pod", aPod().running().view(), [0, false, "uid-0"], "0 running"]
  ]
  for (const [name, pod, [exitCode, stopped, uid = "uid-1"], expected, over] of cases) {
    it(`${name}: ${expected}`, () => {
      const marker = { key: "key", uid, exitCode, stopped }
      assert.strictEqual(summary(decide(pod, options({ ...over, marker }))), expected)
    })
  }
})

describe("a deadline", () => {
  const DEADLINE = 70
  const ended = (exitCode: number, second: number) => ({
    ...aPod().phase("Failed", "DeadlineExceeded").exited(exitCode, "Odd", second).view(),
    deadlineAt: START + DEADLINE * 1000
  })
  const cases: ReadonlyArray<readonly [string, PodView, string]> = [
    ["that came after the connector had ended well", ended(0, 69), "9 Succeeded"],
    ["that came after the connector had failed", ended(1, 69), "12 ConnectorFailed"],
    ["that came in the second in which it ended", ended(0, 70), "25 Deadline"],
    ["that came before it ended", ended(0, 75), "25 Deadline"],
    ["that came when nobody knows when it ended", { ...ended(0, 69), containers: [] }, "25 Deadline"]
  ]
  for (const [name, view, expected] of cases)
    it(`${name}: ${expected}`, () => assert.strictEqual(summary(decide(view, options())), expected))

  it("is the Pod's start and its seconds, as a real kubelet counts them", () => {
    const events = eventsOf("deadline-exceeded")
    const { deadlineAt, containers } = fromPod(events.at(-1)?.object ?? aPod().json())
    // It was stopped for that, and ended with 0 within the same second.
    const second = Date.parse("2026-11-23T14:34:22Z")
    assert.strictEqual(deadlineAt, second)
    assert.deepInclude(containers[0], { exitCode: 0, finishedAt: second })
    assert.isUndefined(fromPod(events[0]?.object ?? aPod().json()).deadlineAt)
  })
})

const recordings = new URL("../../fixtures/pods/", import.meta.url)
const eventsOf = (name: string) =>
  JSON.parse(readFileSync(new URL(`${name}.json`, recordings), "utf8")) as ReadonlyArray<{
    type: string
    object: PodJson
  }>
const recorded = (name: string): ReadonlyArray<string> => {
  // The first final verdict for a uid counts; later statuses are not looked at any more.
  const seen: Array<string> = []
  for (const { type, object } of eventsOf(name)) {
    const view = fromPod(object)
    const verdict = decide(type === "DELETED" ? { gone: true, last: view } : view, options())
    const text = summary(verdict)
    if (seen.at(-1) !== text) seen.push(text)
    if (verdict._tag !== "Pending") break
  }
  return seen
}

const BEGIN = "1 starting > StartTimeout"
const recordedVerdicts: Readonly<Record<string, ReadonlyArray<string>>> = {
  completed: [BEGIN, "9 Succeeded"],
  "config-secret-missing": [BEGIN, "7 starting > BadConfig"],
  "deadline-exceeded": [BEGIN, "0 running", "25 Deadline"],
  "deleted-exit-0": [BEGIN, "0 running", "26 stopping > DeletedExternally", "26 DeletedExternally"],
  "deleted-ignores-term": [BEGIN, "0 running", "26 stopping > DeletedExternally", "26 DeletedExternally"],
  "emptydir-limit": [BEGIN, "0 running", "19 StorageLimit"],
  "evicted-api-exit-0": [BEGIN, "0 running", "21 stopping > Evicted", "21 Evicted"],
  "exit-1": [BEGIN, "12 ConnectorFailed"],
  "exit-126": [BEGIN, "13 BadConfig"],
  "image-invalid-name": [BEGIN, "6 pulling > ImageUnpullable"],
  // Its node was tainted before anybody gave up.
  "image-missing": [BEGIN, "5 pulling > ImageUnpullable", "23 node-lost > NodeLost", "23 Interrupted"],
  "init-fails": [BEGIN, "30 BadConfig"],
  "killed-from-outside": [BEGIN, "0 running", "16 finishing > Killed"],
  "liveness-fails": [BEGIN, "0 running", "12 ConnectorFailed"],
  "mount-missing-pvc": [BEGIN, "2 queued > Unschedulable"],
  "mount-missing-secret": [BEGIN],
  "node-lost": [BEGIN, "0 running", "23 node-lost > NodeLost", "23 Interrupted"],
  oom: [BEGIN, "14 OOM"],
  "preempted-exit-0": [BEGIN, "0 running", "20 stopping > Preempted", "20 Preempted"],
  "run-as-non-root": [BEGIN, "7 starting > BadConfig"],
  "scheduling-gated": ["3 queued"],
  "sidecar-runs-on": [BEGIN, "9 Succeeded"],
  "start-error": [BEGIN, "13 BadConfig"],
  "termination-message": [BEGIN, "12 ConnectorFailed"],
  unschedulable: [BEGIN, "2 queued > Unschedulable"]
}

describe("what a real kubelet said", () => {
  for (const file of readdirSync(recordings)) {
    const name = file.replace(".json", "")
    it(`recording of ${name}`, () => {
      const verdicts = recorded(name)
      const expected = recordedVerdicts[name]
      assert.deepStrictEqual(verdicts, expected)
    })
  }
})

const word = (...words: ReadonlyArray<string>) => Schema.Literals(words)
const REASONS = [
  "",
  "Evicted",
  "DeadlineExceeded",
  "NodeLost",
  "Terminated",
  "OutOfmemory",
  "Preempting",
  "Odd"
]
const WAITING = [
  "ContainerCreating",
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "CreateContainerConfigError",
  "RunContainerError",
  "Odd"
]
const ENDS = ["Completed", "Error", "OOMKilled", "StartError", "ContainerStatusUnknown", "Odd"]
const DISRUPTIONS = [
  "none",
  "PreemptionByScheduler",
  "DeletionByTaintManager",
  "EvictionByEvictionAPI",
  "DeletionByPodGC",
  "TerminationByKubelet",
  "Odd"
]

const anyPod = Schema.Tuple([
  word("Pending", "Running", "Succeeded", "Failed", "Unknown", ""),
  word(...REASONS),
  word("waiting", "running", "terminated", "none"),
  word(...WAITING),
  word(...ENDS),
  Schema.Literals([0, 1, 126, 137, 143, 255]),
  word(...DISRUPTIONS),
  Schema.Boolean,
  Schema.String
])

const viewOf = ([
  phase,
  reason,
  state,
  waiting,
  ended,
  code,
  disruption,
  deleted,
  text
]: typeof anyPod.Type): PodView => {
  let pod = aPod().phase(phase, reason, text.repeat(40))
  if (state === "waiting") pod = pod.waiting(waiting, text.repeat(40))
  if (state === "running") pod = pod.running().phase(phase)
  if (state === "terminated") pod = pod.exited(code, ended, 60, text.repeat(40))
  if (disruption !== "none") pod = pod.disrupted(disruption)
  if (deleted) pod = pod.deleted()
  return pod.view()
}

describe("every combination", () => {
  it.prop(
    "has one verdict; only four rows wait without an end; texts are bounded",
    [anyPod, Schema.Boolean],
    ([pod, stopRequested]) => {
      const view = viewOf(pod)
      const verdict = decide(view, options({ stopRequested }))
      assert.deepStrictEqual(decide(view, options({ stopRequested })), verdict)
      const failure =
        verdict._tag === "Failed"
          ? verdict.failure
          : verdict._tag === "Pending"
            ? verdict.giveUp?.failure
            : undefined
      if (failure !== undefined) assert.isBelow(failure.message.length, 1500)
      if (verdict._tag === "Pending" && verdict.giveUp === undefined) return [0, 3, 29].includes(verdict.row)
      const final = decide({ gone: true, last: view }, options({ stopRequested }))
      return final._tag !== "Pending"
    },
    { arbitrary: { runs: 3000 } }
  )

  const marker = { key: "key", uid: "uid-1", exitCode: 0, stopped: false }
  it.prop(
    "has succeeded where its connector has noted that it ended well by itself",
    [anyPod],
    ([pod]) => {
      const view = viewOf(pod)
      const verdicts = [view, { gone: true as const, last: view }].map((seen) =>
        decide(seen, options({ marker }))
      )
      return verdicts.every(({ _tag }) => _tag === "Succeeded")
    },
    { arbitrary: { runs: 3000 } }
  )

  it.prop(
    "has not succeeded where its connector has noted another end",
    [anyPod, Schema.Literals([0, 1, 143])],
    ([pod, exitCode]) => {
      // Nothing of the container contradicts the note.
      if (pod[0] === "Succeeded" || pod[5] !== exitCode) return true
      const noted = { ...marker, exitCode, stopped: exitCode !== 1 }
      return decide(viewOf(pod), options({ marker: noted }))._tag !== "Succeeded"
    },
    { arbitrary: { runs: 3000 } }
  )
})
