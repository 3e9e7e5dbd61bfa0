import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Connector from "../../src/olake/Connector.ts"

const params = {
  SourceType: "postgres",
  Version: "v0.2.0",
  Config: `{"host":"db"}`,
  WorkflowID: "w",
  SourceID: 0,
  DestID: 0,
  JobID: 0,
  StreamsConfig: ""
}
const key = Redacted.make("top-secret-key")

describe("command lines", () => {
  it("discover", () => {
    assert.deepStrictEqual(Connector.discover(params, undefined).args, [
      "discover",
      "--config",
      "/mnt/config/config.json"
    ])
    const known = Connector.discover({ ...params, StreamsConfig: "{}" }, key)
    assert.deepStrictEqual(known.args, [
      "discover",
      "--config",
      "/mnt/config/config.json",
      "--catalog",
      "/mnt/config/streams.json",
      "--encryption-key",
      "$(OLAKE_SECRET_KEY)"
    ])
    assert.deepStrictEqual(
      known.files.map(({ name }) => name),
      ["config.json", "streams.json"]
    )
  })

  it("check of a destination", () =>
    assert.deepStrictEqual(Connector.check({ ...params, Flag: "destination" }, undefined).args, [
      "check",
      "--destination",
      "/mnt/config/config.json"
    ]))

  it("sync writes its files and keeps a state that is there", () => {
    const configs = { source: "s", destination: "d", streams: "c", state: "NULL" }
    const { args, files } = Connector.sync({ jobId: 7, workflowId: "w", configs }, undefined)
    assert.deepStrictEqual(args, [
      "sync",
      "--config",
      "/mnt/config/config.json",
      "--catalog",
      "/mnt/config/streams.json",
      "--destination",
      "/mnt/config/writer.json",
      "--state",
      "/mnt/config/state.json"
    ])
    assert.deepStrictEqual(files, [
      { name: ".olake-run.json", content: `{"jobId":7,"workflowId":"w"}` },
      { name: "config.json", content: "s" },
      { name: "streams.json", content: "c" },
      { name: "writer.json", content: "d" },
      { name: "state.json", content: "{}", keepExisting: true }
    ])
  })

  it("a state is passed on to the last digit", () =>
    assert.strictEqual(Connector.initialState(`{"lsn": 9007199254740993}`), `{"lsn": 9007199254740993}`))
})

describe("liftSecretKey", () => {
  it.prop(
    "leaves no literal key, in either form, and nothing else is lost",
    [Schema.Array(Schema.String), Schema.Boolean],
    ([rest, inline]) => {
      const secret = "a-literal-key-of-a-request"
      const others = rest.filter((arg) => !arg.includes("encryption-key") && !arg.includes(secret))
      const given = inline ? [`--encryption-key=${secret}`] : ["--encryption-key", secret]
      const lifted = Connector.liftSecretKey([...others, ...given])
      assert.notInclude(JSON.stringify(lifted), secret)
      assert.strictEqual(lifted.secretKey && Redacted.value(lifted.secretKey), secret)
      assert.deepStrictEqual(
        lifted.args.slice(0, others.length).map((arg) => arg.replaceAll("$$(", "$(")),
        others.map((arg) => arg.replaceAll("$$(", "$("))
      )
      return true
    }
  )

  it("keeps Kubernetes from expanding a request's own text", () =>
    assert.deepStrictEqual(Connector.liftSecretKey(["$(HOME)"]).args, ["$$(HOME)"]))

  it("knows its own reference", () => {
    const args = ["--encryption-key", "$(OLAKE_SECRET_KEY)"]
    assert.deepStrictEqual(Connector.liftSecretKey(args), { args, secretKey: undefined })
  })
})

describe("runs of the second contract", () => {
  const configs = { source: "{}", destination: "{}", streams: "{}", state: "{}" }
  const run = { args: Connector.SYNC_ARGS, jobId: 7, workflowId: "sync-123-7", configs }
  const argsOf = (state: string, hasState = false) =>
    Connector.requestedSync({ ...run, configs: { ...configs, state } }, undefined, hasState).args

  it("a state that is none is not handed over; one that a connector of this run has left is", () => {
    for (const empty of ["", "null", "{}", " { } "]) {
      assert.notInclude(argsOf(empty), "--state")
      assert.notInclude(argsOf(empty), "/mnt/config/state.json")
      assert.include(argsOf(empty, true), "--state")
    }
    assert.include(argsOf(`{"a":1}`), "--state")
    const inline = Connector.requestedSync({ ...run, args: ["sync", "--state=/x", "--y"] }, undefined, false)
    assert.deepStrictEqual(inline.args, ["sync", "--y"])
  })

  it("what holds credentials is private, and what a connector goes on from is kept", () => {
    const { files, secretKey } = Connector.requestedSync(run, "user-1", false)
    const named = (name: string) => files.find((file) => file.name === name)
    for (const name of Connector.PRIVATE_FILES) assert.isTrue(named(name)?.isPrivate)
    assert.isTrue(named("state.json")?.keepExisting)
    assert.strictEqual(named("user_id.txt")?.content, "user-1")
    assert.deepStrictEqual(JSON.parse(named(".olake-run.json")?.content ?? ""), {
      jobId: 7,
      workflowId: "sync-123-7"
    })
    // The connector gets its configs decrypted: the key is none of its business.
    assert.isUndefined(secretKey)
  })

  it("a clear knows no source", () => {
    const { files } = Connector.requestedClear({ ...run, args: Connector.CLEAR_ARGS })
    assert.sameMembers(
      files.map(({ name }) => name),
      [".olake-run.json", "destination.json", "streams.json", "state.json"]
    )
  })
})
