/** What another run's Pod means, for every pair of what it says and what Temporal says. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import {
  isAbandoned,
  LEFT_TO_ITS_OWNER,
  mayBeOwn,
  type Ownership,
  ownershipOf,
  type RunState
} from "../../../src/kubernetes/pod/Ownership.ts"
import { ownerOf } from "../../../src/kubernetes/pod/PodIdentity.ts"
import { fromPod, hasEnded } from "../../../src/kubernetes/pod/PodView.ts"
import { aPod, START } from "../../support/PodBuilder.ts"

const own = { namespace: "default", namespaceId: "id-own" }

type Said = "same" | "other" | "none"
type Named = "same" | "other"

const idOf = (said: Said): Readonly<Record<string, string>> =>
  said === "none"
    ? {}
    : { "olake.io/temporal-namespace-id": said === "same" ? own.namespaceId : "id-of-another" }
const nameOf = (named: Named): Readonly<Record<string, string>> => ({
  "olake.io/temporal-namespace": named === "same" ? own.namespace : "another"
})
const podOf = (said: Said, named: Named) =>
  aPod()
    .labelled({ "olake.io/key": "0123456789abcdef", "olake.io/operation-type": "sync" })
    .annotated({ "olake.io/workflow-id": "w-1", ...idOf(said), ...nameOf(named) })
    .running()

/** The id decides, where both have one; else the name, and then only a run that Temporal knows can be over. */
const rows: ReadonlyArray<readonly [Said, Named, Readonly<Record<RunState, Ownership>>]> = [
  ["same", "same", { open: "open", closed: "over", unknown: "over" }],
  // Somebody has renamed the worker's namespace in its settings only: the id is what tells.
  ["same", "other", { open: "open", closed: "over", unknown: "over" }],
  ["other", "same", { open: "foreign", closed: "foreign", unknown: "foreign" }],
  ["other", "other", { open: "foreign", closed: "foreign", unknown: "foreign" }],
  ["none", "same", { open: "open", closed: "over", unknown: "foreign" }],
  ["none", "other", { open: "foreign", closed: "foreign", unknown: "foreign" }]
]
const states = ["open", "closed", "unknown"] as const

describe("a Pod that a worker made", () => {
  for (const [said, named, expected] of rows) {
    for (const state of states) {
      it(`with the namespace's id: ${said}, its name: ${named}, of a run that is ${state}: ${expected[state]}`, () =>
        assert.strictEqual(ownershipOf(podOf(said, named).view(), state, own), expected[state]))
    }
  }

  for (const [named, expected] of [
    ["same", { open: "open", closed: "over", unknown: "foreign" }],
    ["other", { open: "foreign", closed: "foreign", unknown: "foreign" }]
  ] as const) {
    it(`goes by the namespace's name where Temporal does not tell its id (${named})`, () => {
      for (const state of states)
        for (const said of ["same", "other", "none"] as const)
          assert.strictEqual(
            ownershipOf(podOf(said, named).view(), state, { ...own, namespaceId: "" }),
            expected[state]
          )
    })
  }

  it("and that names no namespace, as the Go worker's: of this one, if its run is known here", () => {
    const gos = aPod().annotated({ "olake.io/workflow-id": "w-1" }).running().view()
    assert.deepStrictEqual(
      states.map((state) => ownershipOf(gos, state, own)),
      ["open", "over", "foreign"]
    )
    assert.isTrue(mayBeOwn(ownerOf(gos), own))
  })
})

describe("a Pod that no worker made", () => {
  it("is never touched, whatever it says of itself", () => {
    for (const [said, named] of rows)
      for (const state of states) {
        const pod = podOf(said, named).labelled({ "app.kubernetes.io/managed-by": "Helm" })
        assert.strictEqual(ownershipOf(pod.view(), state, own), "notManaged")
      }
  })
})

const Id = Schema.Literals(["", "id-own", "id-of-another"])
const Told = Schema.Union([Id, Schema.String])

it.prop(
  "a Pod that runs and whose run is unknown is over only where both ids are there and are one",
  [
    Schema.Struct({ said: Schema.optionalKey(Told), named: Schema.optionalKey(Schema.String) }),
    Told,
    Schema.Literals(["default", "another"]),
    Schema.Boolean
  ],
  ([{ said, named }, namespaceId, namespace, isManaged]) => {
    const pod = aPod()
      .labelled(isManaged ? {} : { "app.kubernetes.io/managed-by": "Helm" })
      .annotated({
        ...(said === undefined ? {} : { "olake.io/temporal-namespace-id": said }),
        ...(named === undefined ? {} : { "olake.io/temporal-namespace": named })
      })
      .running()
      .view()
    const isOver = ownershipOf(pod, "unknown", { namespace, namespaceId }) === "over"
    return !hasEnded(pod) && isOver === (isManaged && namespaceId !== "" && said === namespaceId)
  }
)

describe("a foreign Pod is nobody's any more", () => {
  const ended = aPod().exited(0, "Completed", 0).phase("Succeeded")

  it("once it ended a while ago", () => {
    assert.isFalse(isAbandoned(ended.view(), START))
    assert.isFalse(isAbandoned(ended.view(), START + LEFT_TO_ITS_OWNER))
    assert.isTrue(isAbandoned(ended.view(), START + LEFT_TO_ITS_OWNER + 1))
    assert.isTrue(isAbandoned(ended.phase("Failed").view(), START + LEFT_TO_ITS_OWNER + 1))
  })

  it("by the last of its containers", () => {
    const at = "2026-11-23T17:10:00Z"
    const sidecar = { name: "proxy", state: { terminated: { exitCode: 0, finishedAt: at } } }
    const { status, ...rest } = ended.json()
    const containerStatuses = [...(status?.containerStatuses ?? []), sidecar]
    const view = fromPod({ ...rest, status: { ...status, containerStatuses } })
    const ends = Date.parse(at)
    assert.isFalse(isAbandoned(view, ends + LEFT_TO_ITS_OWNER))
    assert.isTrue(isAbandoned(view, ends + LEFT_TO_ITS_OWNER + 1))
  })

  it.prop(
    "but never while it may run, however old it is",
    [Schema.Literals(["Pending", "Running", "Unknown", ""]), Schema.Int],
    ([phase, now]) => !isAbandoned(aPod().exited(0).phase(phase).view(), now)
  )
})
