import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { LocalPods } from "../../dev/local-pods/LocalPods.ts"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { createShop, SHOP_ROWS, shopCatalog, shopSource } from "../../dev/postgres/Shop.ts"
import {
  awaitGone,
  awaitPod,
  call,
  createPod,
  ended,
  PODS,
  running,
  shell,
  state
} from "../support/LocalApi.ts"
import {
  eventually,
  isAlive,
  movedRows,
  readJson,
  temporaryFolder,
  writeJson
} from "../support/Conditions.ts"

it.live("ends every process with its scope", () =>
  Effect.gen(function* () {
    const dir = yield* temporaryFolder
    const file = path.join(dir, "pid")
    const pid = yield* Effect.gen(function* () {
      yield* createPod("endless", shell(`echo $$ > ${file}; trap '' TERM; while :; do sleep 1; done`))
      yield* awaitPod("endless", running)
      return Number(yield* Effect.promise(() => fs.readFile(file, "utf8")))
    }).pipe(Effect.provide(LocalPods.layer()))
    assert.isFalse(isAlive(pid))
  })
)

it.live("leaves Pods unscheduled where there is no room, and schedules them later", () =>
  Effect.gen(function* () {
    yield* createPod("first", shell("sleep 60"))
    yield* awaitPod("first", running)
    yield* createPod("second", shell("true"))
    const pending = yield* awaitPod("second", (one) => one.status.conditions !== undefined)
    assert.deepInclude(pending.status.conditions[0], {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable"
    })
    const volumes = [{ name: "job", persistentVolumeClaim: { claimName: "nope" } }]
    yield* createPod("claims", { spec: { volumes } })
    const claims = yield* awaitPod("claims", (one) => one.status.conditions !== undefined)
    assert.include(claims.status.conditions[0].message, 'persistentvolumeclaim "nope" not found')
    yield* call("DELETE", `${PODS}/claims`)
    yield* awaitGone("claims")
    const over = yield* Effect.forkChild(awaitPod("second", ended))
    yield* call("DELETE", `${PODS}/first?gracePeriodSeconds=0`)
    assert.strictEqual((yield* Fiber.join(over)).status.phase, "Succeeded")
  }).pipe(Effect.provide(LocalPods.layer({ maxPods: 1 })))
)

const M = "/mnt/config"
const SYNC = `sync --config ${M}/config.json --catalog ${M}/streams.json --destination ${M}/writer.json --state ${M}/state.json`

/** A Pod as a worker makes it: the job's folder of the claim at /mnt/config. */
const connectorPod = (name: string, args: string) =>
  createPod(name, {
    args: args.split(" "),
    container: { volumeMounts: [{ name: "job", mountPath: M, subPath: "run" }] },
    spec: { volumes: [{ name: "job", persistentVolumeClaim: { claimName: "shared" } }] }
  })

it.live(
  "runs the connector on a claim's folder; a deleted sync keeps its state and a later one goes on",
  () =>
    Effect.gen(function* () {
      const volume = yield* temporaryFolder
      const dir = path.join(volume, "run")
      yield* Effect.gen(function* () {
        yield* connectorPod("check", `check --config ${M}/config.json`)
        const over = yield* awaitPod("check", ended)
        assert.strictEqual(state(over).terminated.exitCode, 1)
        assert.include((yield* call("GET", `${PODS}/check/log`)).body, "failed to read config.json: ENOENT")
        assert.deepStrictEqual(yield* Effect.promise(() => fs.readdir(dir)), ["logs"])

        yield* createShop
        const server = yield* Postgres
        yield* writeJson(dir, {
          "config.json": shopSource(server, { throttle_rows_per_second: 200 }),
          "streams.json": shopCatalog(["customers"]),
          "writer.json": { type: "JSONL", writer: { local_path: `${M}/data` } },
          "state.json": {}
        })
        const reached = async (): Promise<number> =>
          Object(await readJson(path.join(dir, "state.json"))).streams?.[0]?.state.id ?? 0
        yield* connectorPod("sync-1", SYNC)
        yield* eventually("rows moved", async () => ((await reached()) > 20 ? true : undefined))
        yield* call("DELETE", `${PODS}/sync-1`)
        yield* awaitGone("sync-1")
        const kept = yield* Effect.promise(reached)
        assert.isBelow(kept, SHOP_ROWS.customers)
        const rows = Effect.promise(() => movedRows(path.join(dir, "data")))
        assert.strictEqual((yield* rows)["customers"]?.length, kept)

        yield* writeJson(dir, { "config.json": shopSource(server) })
        yield* connectorPod("sync-2", SYNC)
        assert.strictEqual((yield* awaitPod("sync-2", ended)).status.phase, "Succeeded")
        assert.strictEqual((yield* rows)["customers"]?.length, SHOP_ROWS.customers)
      }).pipe(Effect.provide(Layer.merge(LocalPods.layer({ claims: { shared: volume } }), Postgres.layer())))
    }),
  60_000
)
