/** Decrypted configs that a crash has left: in which directories they are removed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { newKnown, sweep } from "../../src/background/LeftCredentials.ts"
import { PodWatch } from "../../src/kubernetes/PodWatch.ts"
import { encodeRunNote } from "../../src/olake/RunNote.ts"
import { ofWriter } from "../../src/olake/Workdir.ts"
import { SharedStorage } from "../../src/storage/SharedStorage.ts"
import { StorageError } from "../../src/storage/StorageError.ts"
import type { RunState } from "../../src/temporal/RunDescription.ts"
import { TemporalClient } from "../../src/temporal/TemporalClient.ts"
import { unavailable } from "../../src/temporal/TemporalUnavailable.ts"
import { aPod } from "../support/PodBuilder.ts"

const OWN_ID = "id-of-our-namespace"
const CREDENTIALS = ["source.json", "destination.json.worker-0-1f.tmp"]

interface Given {
  readonly run: RunState | "unavailable"
  /** The Temporal namespace's id in the note; none where undefined. */
  readonly id?: string
  readonly hasPod?: boolean
  readonly hasNote?: boolean
  readonly resists?: boolean
  /** Whether another run of the workflow begins while Temporal is asked. */
  readonly isFollowed?: boolean
}

/** A directory for each workflow, and what the rounds did in them. */
const world = (given: Readonly<Record<string, Given>>) => {
  const files = new Map(
    Object.keys(given).map((id) => [ofWriter(id), new Set([...CREDENTIALS, "state.json"])])
  )
  const workflowOf = (directory: string) => Object.keys(given).find((id) => ofWriter(id) === directory) ?? ""
  const asked: Array<string> = []
  const followed = new Set<string>()
  const layer = Layer.mergeAll(
    Layer.mock(PodWatch, {
      synced: Effect.void,
      live: Effect.sync(() =>
        Object.entries(given).flatMap(([id, { hasPod = false }]) =>
          hasPod ? [aPod().annotated({ "olake.io/workflow-id": id }).view()] : []
        )
      )
    }),
    Layer.mock(SharedStorage, {
      writers: Effect.sync(() => [...files.keys()]),
      list: (directory) =>
        Effect.sync(() => {
          asked.push(workflowOf(directory))
          return [...(files.get(directory) ?? [])]
        }),
      restoreTaken: () => Effect.succeed(false),
      read: (directory, file) => {
        const workflowId = workflowOf(directory)
        const { id, hasNote = true } = given[workflowId] ?? {}
        const note = {
          jobId: 7,
          workflowId,
          runId: followed.has(workflowId) ? "r-next" : "r",
          ...(id === undefined ? {} : { temporalNamespaceId: id })
        }
        return Effect.succeed(
          file === ".olake-run.json" && hasNote ? Option.some(encodeRunNote(note)) : Option.none()
        )
      },
      remove: (directory, names) =>
        given[workflowOf(directory)]?.resists === true
          ? Effect.fail(
              new StorageError({ operation: "remove", path: directory, reason: "EROFS", detail: "" })
            )
          : Effect.sync(() => {
              for (const name of names) files.get(directory)?.delete(name)
            })
    }),
    Layer.mock(TemporalClient, {
      namespaceId: Effect.succeed(OWN_ID),
      lookAt: (workflowId) => {
        const { run = "unavailable", isFollowed = false } = given[workflowId] ?? {}
        if (isFollowed) followed.add(workflowId)
        return run === "unavailable" ? Effect.fail(unavailable("look")("away")) : Effect.succeed(run)
      }
    })
  )
  const known = newKnown()
  return {
    round: Effect.provide(sweep(known), layer),
    asked,
    known,
    /** Workflows whose credentials are gone; all else stays in each directory. */
    cleaned: () =>
      Object.keys(given).filter((id) => {
        const left = files.get(ofWriter(id)) ?? new Set()
        assert.isTrue(left.has("state.json"))
        return !CREDENTIALS.some((name) => left.has(name))
      })
  }
}

const closed: RunState = { state: "closed", closedAt: 0 }
const open: RunState = { state: "open" }
const unknown: RunState = { state: "unknown" }

describe("configs in clear text", () => {
  it.effect("go where the run is over, and stay where it may go on", () =>
    Effect.gen(function* () {
      const { round, cleaned } = world({
        terminated: { run: closed },
        deleted: { run: unknown, id: OWN_ID },
        open: { run: open },
        "of another Temporal": { run: unknown, id: "another id" },
        "of nobody knows which": { run: unknown },
        "that runs anew meanwhile": { run: closed, isFollowed: true },
        "with a Pod": { run: closed, hasPod: true },
        "without a note": { run: closed, hasNote: false },
        "that Temporal does not tell of": { run: "unavailable" }
      })
      yield* round
      assert.deepStrictEqual(cleaned(), ["terminated", "deleted"])
    })
  )

  it.effect("that resist hold up no others, and are reported once", () =>
    Effect.gen(function* () {
      const { round, cleaned, known } = world({
        stuck: { run: closed, resists: true },
        terminated: { run: closed }
      })
      for (let rounds = 0; rounds < 3; rounds++) yield* round
      assert.deepStrictEqual(cleaned(), ["terminated"])
      assert.deepStrictEqual([...known.reported], [ofWriter("stuck")])
    })
  )

  it.effect("directories that are clean are looked at again once an hour only", () =>
    Effect.gen(function* () {
      const { round, asked } = world({ over: { run: closed }, open: { run: open } })
      for (let rounds = 0; rounds < 12; rounds++) yield* round
      assert.lengthOf(
        asked.filter((id) => id === "open"),
        12
      )
      const looks = () => asked.filter((id) => id === "over").length
      const before = looks()
      assert.isBelow(before, 4)
      yield* round
      assert.isAbove(looks(), before)
    })
  )
})
