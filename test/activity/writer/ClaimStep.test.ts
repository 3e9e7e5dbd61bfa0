/** The claim's next step, one row for each situation, and what holds in all of them. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { type Facts, nextStep, type Step } from "../../../src/activity/writer/ClaimStep.ts"
import { isAbandoned, type Ownership } from "../../../src/kubernetes/pod/Ownership.ts"
import { keyOf } from "../../../src/kubernetes/pod/PodIdentity.ts"
import { hasEnded, type PodView } from "../../../src/kubernetes/pod/PodView.ts"
import { type ExitMarker, hasEndedByItself } from "../../../src/olake/ExitMarker.ts"
import type { JobIdentity } from "../../../src/olake/Job.ts"
import { aPod, type PodBuilder, START } from "../../support/PodBuilder.ts"

const writer: JobIdentity = {
  operation: "sync",
  jobId: 7,
  run: { temporalNamespace: "default", taskQueue: "q", workflowId: "w-1", runId: "r-1" }
}
const OWN_KEY = keyOf(writer.run, "sync")

const mine = aPod().labelled({ "olake.io/key": OWN_KEY })
const others = aPod()
  .named("olake-job-7-other", "uid-other")
  .labelled({ "olake.io/key": "fedcba9876543210", "olake.io/operation-type": "sync", "olake.io/job-id": "7" })
  .annotated({
    "olake.io/workflow-id": "w-other",
    "olake.io/temporal-namespace": "theirs",
    "olake.io/temporal-namespace-id": "id-theirs"
  })
const endedAt = (second: number) => others.exited(0, "Completed", second).phase("Succeeded")
/** The present, an hour after the Pods began. */
const NOW = START + 3_600_000

const marker = (over: Partial<ExitMarker> = {}): ExitMarker => ({
  key: OWN_KEY,
  uid: "uid-1",
  exitCode: 0,
  stopped: false,
  ...over
})
const beside = (pod: PodBuilder, ownership: Ownership): Partial<Facts> => ({
  others: [{ pod: pod.view(), ownership }]
})

const factsOf = (over: Partial<Facts>): Facts => ({
  writer,
  namespace: "jobs",
  own: undefined,
  others: [],
  marker: undefined,
  removed: new Set(),
  now: NOW,
  ...over
})

/** The step in a word, with what it is about. */
const wordOf = (step: Step): string => {
  switch (step.do) {
    case "release":
      return `release ${step.pod.uid}${step.isOver ? ", over" : ""}`
    case "wait":
    case "awaitGone":
      return `${step.do} ${step.pod.uid}`
    case "refuse":
      return step.error._tag === "JobBusy" && step.error.isForeign ? "JobBusy, foreign" : step.error._tag
    case "done":
      return `done ${step.marker.exitCode}`
    case "create":
      return "create"
  }
}

const table: ReadonlyArray<readonly [situation: string, facts: Partial<Facts>, step: string]> = [
  ["nothing", {}, "create"],
  ["own, waiting for its node", { own: mine.view() }, "wait uid-1"],
  ["own, running", { own: mine.running().view() }, "wait uid-1"],
  ["own, succeeded", { own: mine.exited(0).phase("Succeeded").view() }, "wait uid-1"],
  ["own, failed", { own: mine.exited(1).phase("Failed").view() }, "wait uid-1"],
  ["own, being deleted and running", { own: mine.running().deleted().view() }, "wait uid-1"],
  [
    "own, being deleted and ended",
    { own: mine.exited(1).phase("Failed").deleted().view() },
    "awaitGone uid-1"
  ],
  [
    "own, being deleted and ended, beside another's",
    { own: mine.exited(1).phase("Failed").deleted().view(), ...beside(others.running(), "open") },
    "awaitGone uid-1"
  ],
  [
    "own, being deleted after it had succeeded",
    { own: mine.exited(0).phase("Succeeded").deleted(90).view() },
    "wait uid-1"
  ],
  ["note of this run, exit 0", { marker: marker() }, "done 0"],
  ["note of this run, exit 1", { marker: marker({ exitCode: 1 }) }, "done 1"],
  ["note of this run, exit 0 after it was told to stop", { marker: marker({ stopped: true }) }, "create"],
  ["note of this run, killed", { marker: marker({ exitCode: 137 }) }, "create"],
  ["note of another run", { marker: marker({ key: "fedcba9876543210" }) }, "create"],
  [
    "note of this run's other operation",
    { marker: marker({ key: keyOf(writer.run, "clear-destination") }) },
    "create"
  ],
  ["note of this run, own Pod running", { marker: marker(), own: mine.running().view() }, "wait uid-1"],
  [
    "note of this run, own Pod running and being deleted",
    { marker: marker(), own: mine.running().deleted().view() },
    "wait uid-1"
  ],
  [
    "note of this run, own Pod being deleted and ended",
    { marker: marker(), own: mine.exited(0).phase("Succeeded").deleted().view() },
    "done 0"
  ],
  ["note of this run, another's Pod running", { marker: marker(), ...beside(others, "open") }, "done 0"],
  ["another open run's", beside(others.running(), "open"), "JobBusy"],
  ["another open run's, ended", beside(endedAt(0), "open"), "JobBusy"],
  ["of a run that is over, running", beside(others.running(), "over"), "release uid-other, over"],
  ["of a run that is over, ended", beside(endedAt(0), "over"), "release uid-other, over"],
  [
    "of a run that is over, removed before",
    { ...beside(others.running(), "over"), removed: new Set(["uid-other"]) },
    "awaitGone uid-other"
  ],
  ["another Temporal's, running", beside(others.running(), "foreign"), "JobBusy, foreign"],
  ["another Temporal's, ended just now", beside(endedAt(3_599), "foreign"), "JobBusy, foreign"],
  ["another Temporal's, ended an hour ago", beside(endedAt(-1), "foreign"), "release uid-other"],
  [
    "another Temporal's, removed before",
    { ...beside(endedAt(-1), "foreign"), removed: new Set(["uid-other"]) },
    "awaitGone uid-other"
  ],
  ["of no worker", beside(others, "notManaged"), "NameConflict"]
]

describe("the next step", () => {
  for (const [situation, facts, expected] of table)
    it(`${situation}: ${expected}`, () => assert.strictEqual(wordOf(nextStep(factsOf(facts))), expected))

  it("of several in the way takes one at a time", () => {
    const second = { pod: others.named("another", "uid-second").running().view(), ownership: "open" } as const
    const first = { pod: endedAt(0).view(), ownership: "over" } as const
    const facts = factsOf({ others: [first, second] })
    assert.strictEqual(wordOf(nextStep(facts)), "release uid-other, over")
    assert.strictEqual(wordOf(nextStep({ ...facts, others: [second] })), "JobBusy")
  })
})

describe("a job that is busy", () => {
  const errorOf = (ownership: Ownership, pod = others) => {
    const step = nextStep(factsOf(beside(pod.running(), ownership)))
    assert(step.do === "refuse" && step.error._tag === "JobBusy")
    return step.error
  }

  it("is tried again, and says who writes and how to end it", () => {
    const error = errorOf("open")
    assert.isTrue(error.isRetryable)
    assert.isDefined(error.retryDelay)
    for (const part of [
      "Job 7",
      "workflow w-other",
      "Pod olake-job-7-other in namespace jobs",
      "temporal workflow cancel --namespace theirs --workflow-id w-other"
    ])
      assert.include(error.message, part)
    assert.notInclude(error.message, "kubectl")
  })

  it("by another Temporal's run says whose it is, for nothing here ends it", () => {
    const error = errorOf("foreign")
    assert.isTrue(error.isRetryable)
    for (const part of [
      `Temporal namespace "theirs", id id-theirs`,
      "kubectl delete pod olake-job-7-other --namespace jobs"
    ])
      assert.include(error.message, part)
    assert.notInclude(error.message, "workflow cancel")
  })
})

/** Any Pod: its phase, whether it is being deleted, and how long ago it ended. */
const AnyPod = Schema.Struct({
  phase: Schema.Literals(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
  isBeingDeleted: Schema.Boolean,
  endedBefore: Schema.Literals([0, 1, 60, 899, 901, 3600])
})
const viewOf = (base: PodBuilder, { phase, isBeingDeleted, endedBefore }: typeof AnyPod.Type): PodView => {
  const pod = base.exited(0, "Completed", 3600 - endedBefore).phase(phase)
  return (isBeingDeleted ? pod.deleted() : pod).view()
}
const AnyFacts = Schema.Struct({
  own: Schema.UndefinedOr(AnyPod),
  others: Schema.Array(
    Schema.Struct({
      pod: AnyPod,
      ownership: Schema.Literals(["notManaged", "open", "over", "foreign"]),
      isRemoved: Schema.Boolean
    })
  ),
  marker: Schema.UndefinedOr(
    Schema.Struct({
      isOwn: Schema.Boolean,
      exitCode: Schema.Literals([0, 1, 2, 127, 128, 137, 143]),
      stopped: Schema.Boolean
    })
  )
})
const factsFrom = ({ own, others: found, marker: noted }: typeof AnyFacts.Type): Facts =>
  factsOf({
    own: own === undefined ? undefined : viewOf(mine, own),
    others: found.map(({ pod, ownership }, index) => ({
      pod: viewOf(others.named(`other-${index}`, `uid-${index}`), pod),
      ownership
    })),
    removed: new Set(found.flatMap(({ isRemoved }, index) => (isRemoved ? [`uid-${index}`] : []))),
    marker:
      noted === undefined
        ? undefined
        : marker({
            key: noted.isOwn ? OWN_KEY : "fedcba9876543210",
            exitCode: noted.exitCode,
            stopped: noted.stopped
          })
  })

const always = (title: string, holds: (facts: Facts, step: Step) => boolean) =>
  it.prop(title, [AnyFacts], ([any]) => {
    const facts = factsFrom(any)
    return holds(facts, nextStep(facts))
  })

describe("whatever was found", () => {
  always(
    "no Pod is made beside another",
    ({ own, others: found }, step) => step.do !== "create" || (own === undefined && found.length === 0)
  )

  always(
    "nobody's Pod is removed but one that is over, or another Temporal's that ended long ago",
    (facts, step) => {
      if (step.do !== "release") return true
      const found = facts.others.find(({ pod }) => pod.uid === step.pod.uid)
      if (found === undefined || facts.removed.has(found.pod.uid)) return false
      if (found.ownership === "over") return step.isOver
      return (
        found.ownership === "foreign" &&
        !step.isOver &&
        hasEnded(found.pod) &&
        isAbandoned(found.pod, facts.now)
      )
    }
  )

  always(
    "a run is done only by its own connector's own end",
    ({ marker: noted }, step) =>
      step.do !== "done" || (step.marker === noted && noted.key === OWN_KEY && hasEndedByItself(noted))
  )

  always(
    "the run's own Pod is waited for until it has ended, whoever else is there",
    ({ own }, step) =>
      own === undefined || (own.deletionTimestamp !== undefined && hasEnded(own)) || step.do === "wait"
  )

  always(
    "a run that has its answer makes no second Pod",
    ({ marker: noted }, step) =>
      noted === undefined || noted.key !== OWN_KEY || !hasEndedByItself(noted) || step.do !== "create"
  )
})
