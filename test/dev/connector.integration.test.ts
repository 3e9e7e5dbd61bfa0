import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createCipheriv, createHash, randomBytes } from "node:crypto"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { decrypt } from "../../dev/connector/ConfigFile.ts"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { addOrders, createShop, SHOP_ROWS, shopCatalog, shopSource } from "../../dev/postgres/Shop.ts"
import {
  connector,
  eventually,
  movedRows,
  readJson,
  startConnector,
  temporaryFolder,
  writeJson
} from "../support/Conditions.ts"

const Shop = Layer.effectDiscard(createShop).pipe(Layer.provideMerge(Postgres.layer()))

const encrypt = (value: unknown, key: string): string => {
  const nonce = randomBytes(12)
  const cipher = createCipheriv("aes-256-gcm", createHash("sha256").update(key).digest(), nonce)
  const body = Buffer.concat([cipher.update(JSON.stringify(value), "utf8"), cipher.final()])
  return Buffer.concat([nonce, body, cipher.getAuthTag()]).toString("base64")
}

const SYNC = ["--catalog", "streams.json", "--destination", "writer.json", "--state", "state.json"]
const sync = (dir: string, ...more: ReadonlyArray<string>) =>
  connector(dir, ["sync", "--config", "config.json", ...SYNC, ...more])

const WRITER = { type: "JSONL", writer: { local_path: "data" } }

const logLines = async (
  dir: string
): Promise<ReadonlyArray<{ readonly level: string; readonly message: unknown }>> => {
  const logs = path.join(dir, "logs")
  const [run = ""] = await fs.readdir(logs)
  assert.match(run, /^sync_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d$/)
  const text = await fs.readFile(path.join(logs, run, "olake.log"), "utf8")
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
}

layer(Shop, { timeout: "60 seconds", excludeTestServices: true })("connector", (it) => {
  it.effect("decrypts what OLake's UI encrypts", () =>
    Effect.sync(() =>
      assert.strictEqual(decrypt("AAAAAAAAAAAAAAAA9ehzwePvWTX7bPGfRKWTar6eS5QAUYo=", "test-key"), '{"a":1}')
    )
  )

  it.effect("refuses an unknown flag without a word", () =>
    Effect.gen(function* () {
      const dir = yield* temporaryFolder
      const ran = yield* connector(dir, ["check", "--config", "config.json", "--bogus", "1"])
      assert.deepStrictEqual(ran, { exitCode: 1, stdout: "" })
    })
  )

  it.effect("checks a source that answers", () =>
    Effect.gen(function* () {
      const dir = yield* temporaryFolder
      const source = shopSource(yield* Postgres)
      yield* writeJson(dir, { "config.json": encrypt(source, "a key") })
      const ran = yield* connector(dir, ["check", "--config", "config.json", "--encryption-key", "a key"])
      assert.strictEqual(ran.exitCode, 0, ran.stdout)
      assert.include(ran.stdout, '{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}}')
    })
  )

  it.effect("checks a source that refuses, and says why in the log too", () =>
    Effect.gen(function* () {
      const dir = yield* temporaryFolder
      const source = shopSource(yield* Postgres, { password: "wrong" })
      yield* writeJson(dir, { "config.json": source })
      const ran = yield* connector(dir, ["check", "--config", "config.json"])
      assert.strictEqual(ran.exitCode, 1)
      const [status, fatal] = yield* Effect.promise(() => logLines(dir))
      assert.deepInclude(status, { level: "info" })
      assert.match(
        JSON.stringify(status?.message),
        /"status":"FAILED","message":".*password authentication failed/
      )
      assert.deepInclude(fatal, { level: "fatal" })
    })
  )

  it.effect("checks a destination", () =>
    Effect.gen(function* () {
      const dir = yield* temporaryFolder
      yield* writeJson(dir, { "config.json": WRITER })
      const ran = yield* connector(dir, ["check", "--destination", "config.json"])
      assert.strictEqual(ran.exitCode, 0, ran.stdout)
    })
  )

  it.effect("discovers, converts and syncs a split catalog, and takes no mixture of both forms", () =>
    Effect.gen(function* () {
      const dir = yield* temporaryFolder
      const source = shopSource(yield* Postgres)
      yield* writeJson(dir, { "config.json": source, "writer.json": WRITER })
      const read = (file: string) => Effect.promise(() => readJson(path.join(dir, file)).then(Object))
      const files = [
        "--available-streams",
        "available_streams.json",
        "--selected-streams",
        "selected_streams.json"
      ]
      const discover = (...more: ReadonlyArray<string>) =>
        connector(dir, ["discover", "--config", "config.json", ...more])

      assert.strictEqual((yield* discover()).exitCode, 0)
      assert.deepStrictEqual(Object.keys(yield* read("available_streams.json")), ["streams"])
      const { selected_streams: all } = yield* read("selected_streams.json")
      assert.deepInclude(all.public[1], {
        stream_name: "orders",
        sync_mode: "incremental",
        cursor_field: "id"
      })

      // How a stream moves stands beside its selection, and stays.
      const choice = { stream_name: "orders", sync_mode: "full_refresh", cursor_field: "id" }
      yield* writeJson(dir, { "selected_streams.json": { selected_streams: { public: [choice] } } })
      assert.strictEqual((yield* discover(...files)).exitCode, 0)
      const { selected_streams: kept } = yield* read("selected_streams.json")
      assert.deepInclude(kept.public[0], choice)
      assert.lengthOf(kept.public, 1)

      const run = (...catalog: ReadonlyArray<string>) =>
        connector(dir, ["sync", "--config", "config.json", "--destination", "writer.json", ...catalog])
      const both = yield* run(...files, "--catalog", "streams.json")
      assert.strictEqual(both.exitCode, 1)
      assert.include(both.stdout, "--available-streams")
      assert.strictEqual((yield* run(...files.slice(0, 2))).exitCode, 1)
      assert.strictEqual((yield* run(...files)).exitCode, 0)
      assert.deepStrictEqual(yield* Effect.promise(() => fs.readdir(path.join(dir, "data/public"))), [
        "orders"
      ])

      // The UI's conversion gives no source.
      yield* writeJson(dir, { "streams.json": shopCatalog(["products"]) })
      const converted = yield* connector(dir, ["discover", "--streams", "streams.json", "--convert-streams"])
      assert.strictEqual(converted.exitCode, 0, converted.stdout)
      const { selected_streams: made } = yield* read("selected_streams.json")
      assert.strictEqual(made.public[0].stream_name, "products")
    })
  )

  it.effect("discovers the tables and keeps earlier choices", () =>
    Effect.gen(function* () {
      const dir = yield* temporaryFolder
      const source = shopSource(yield* Postgres)
      yield* writeJson(dir, { "config.json": source })
      const first = yield* connector(dir, ["discover", "--config", "config.json"])
      assert.strictEqual(first.exitCode, 0, first.stdout)
      const catalog = yield* Effect.promise(() => readJson(path.join(dir, "streams.json")))
      const names = Object(catalog).streams.map((entry: { stream: { name: string } }) => entry.stream.name)
      assert.deepStrictEqual(names, ["customers", "orders", "products"])
      assert.deepInclude(Object(catalog).streams[1].stream, {
        namespace: "public",
        sync_mode: "incremental",
        cursor_field: "id",
        source_defined_primary_key: ["id"]
      })
      yield* writeJson(dir, { "streams.json": shopCatalog(["orders"]) })
      const again = yield* connector(dir, [
        "discover",
        "--config",
        "config.json",
        "--catalog",
        "streams.json"
      ])
      assert.strictEqual(again.exitCode, 0, again.stdout)
      const merged = yield* Effect.promise(() => readJson(path.join(dir, "streams.json")))
      assert.deepStrictEqual(
        Object(merged).selected_streams.public.map((entry: { stream_name: string }) => entry.stream_name),
        ["orders"]
      )
      assert.strictEqual(Object(merged).streams.length, 3)
    })
  )

  it.effect("syncs only what is new since the state", () =>
    Effect.gen(function* () {
      const dir = yield* temporaryFolder
      const source = shopSource(yield* Postgres)
      const catalog = shopCatalog(["customers", "orders"])
      yield* writeJson(dir, {
        "config.json": source,
        "streams.json": catalog,
        "writer.json": WRITER,
        "state.json": {}
      })
      const first = yield* sync(dir)
      assert.strictEqual(first.exitCode, 0, first.stdout)
      const rows = yield* Effect.promise(() => movedRows(dir))
      assert.strictEqual(rows["customers"]?.length, SHOP_ROWS.customers)
      const before = rows["orders"]?.length ?? 0
      assert.isAtLeast(before, SHOP_ROWS.orders)
      assert.deepInclude(Object(rows["orders"]?.[9]), { id: 10, note: 'note "10"' })
      yield* addOrders(25)
      const second = yield* sync(dir)
      assert.include(second.stdout, "Total records synced: 25")
      assert.deepStrictEqual(yield* Effect.promise(() => readJson(path.join(dir, "state.json"))), {
        type: "STREAM",
        version: 7,
        streams: [
          {
            stream: "customers",
            namespace: "public",
            sync_mode: "incremental",
            state: { id: SHOP_ROWS.customers }
          },
          { stream: "orders", namespace: "public", sync_mode: "incremental", state: { id: before + 25 } }
        ]
      })
      const stats = yield* Effect.promise(() => readJson(path.join(dir, "stats.json")))
      assert.strictEqual(Object(stats)["Synced Records"], 25)
      assert.match(Object(stats)["Speed"], /^\d+\.\d\d rps$/)
      assert.match(Object(stats)["Estimated Remaining Time"], /^\d+\.\d\d s$/)
      assert.isNumber(Object(stats)["CPU Utilization"])
    })
  )

  it.effect("stopped by SIGTERM keeps what it has moved and goes on from there", () =>
    Effect.gen(function* () {
      const dir = yield* temporaryFolder
      const slow = shopSource(yield* Postgres, { throttle_rows_per_second: 200 })
      yield* writeJson(dir, {
        "config.json": slow,
        "streams.json": shopCatalog(["customers"]),
        "writer.json": WRITER,
        "state.json": {}
      })
      const { child, exited } = yield* startConnector(dir, ["sync", "--config", "config.json", ...SYNC])
      const state = async () => Object(await readJson(path.join(dir, "state.json"))).streams?.[0]?.state?.id
      yield* eventually("rows moved", async () => ((await state()) > 20 ? true : undefined))
      const asked = Date.now()
      child.kill("SIGTERM")
      assert.strictEqual(yield* exited, 0)
      assert.isBelow(Date.now() - asked, 2000)
      const reached = yield* Effect.promise(state)
      const rows = yield* Effect.promise(() => movedRows(dir))
      assert.strictEqual(rows["customers"]?.length, reached)
      assert.isBelow(reached, SHOP_ROWS.customers)
      yield* writeJson(dir, { "config.json": shopSource(yield* Postgres) })
      yield* sync(dir)
      const all = yield* Effect.promise(() => movedRows(dir))
      const ids = all["customers"]?.map((row) => Object(row).id)
      assert.deepStrictEqual(
        ids?.toSorted((a, b) => a - b),
        Array.from({ length: SHOP_ROWS.customers }, (_, i) => i + 1)
      )
    })
  )

  it.effect("fails for a stream that does not exist", () =>
    Effect.gen(function* () {
      const dir = yield* temporaryFolder
      const catalog = { selected_streams: { public: [{ stream_name: "nope" }] }, streams: [] }
      yield* writeJson(dir, {
        "config.json": shopSource(yield* Postgres),
        "streams.json": catalog,
        "writer.json": WRITER,
        "state.json": {}
      })
      const ran = yield* sync(dir)
      assert.strictEqual(ran.exitCode, 1)
      assert.include(ran.stdout, "selected streams not found: public.nope")
    })
  )
})
