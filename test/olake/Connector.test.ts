import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Connector from "../../src/olake/Connector.ts"

const config = `{"host":"db"}`
const key = Redacted.make("top-secret-key")

describe("command lines", () => {
  it("discover", () => {
    assert.deepStrictEqual(Connector.discover({ config, streams: "" }, undefined).args, [
      "discover",
      "--config",
      "/mnt/config/config.json"
    ])
    const known = Connector.discover({ config, streams: "{}" }, key)
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
    assert.deepStrictEqual(Connector.check({ config, flag: "destination" }, undefined).args, [
      "check",
      "--destination",
      "/mnt/config/config.json"
    ]))

  it("sync writes its files; note and state are the claim's to write", () => {
    const configs = { source: "s", destination: "d", catalog: { form: "whole", streams: "c" } } as const
    const { args, files } = Connector.sync(configs, undefined)
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
      { name: "config.json", content: "s", isPrivate: true },
      { name: "streams.json", content: "c", isPrivate: false },
      { name: "writer.json", content: "d", isPrivate: true }
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
  const configs = {
    source: "{}",
    destination: "{}",
    catalog: { form: "whole", streams: "{}" }
  } as const
  const argsOf = (hasState: boolean, args = Connector.SYNC_ARGS) =>
    Connector.requestedSync(args, configs, hasState).args

  it("a state that is none is not handed over; one that there is to go on from is", () => {
    assert.notInclude(argsOf(false), "--state")
    assert.notInclude(argsOf(false), "/mnt/config/state.json")
    assert.include(argsOf(true), "--state")
    assert.deepStrictEqual(argsOf(false, ["sync", "--state=/x", "--catalog=/y"]), ["sync", "--catalog=/y"])
  })

  it("a state is none where the row has nothing to go on from", () => {
    for (const empty of ["", "null", "{}", " { } "]) assert.isTrue(Connector.isEmptyState(empty))
    assert.isFalse(Connector.isEmptyState(`{"a":1}`))
  })

  it("what holds credentials is private, and found again with its drafts", () => {
    const { files, secretKey } = Connector.requestedSync(Connector.SYNC_ARGS, configs, false)
    const isPrivate = files.filter((file) => file.isPrivate === true).map(({ name }) => name)
    assert.sameMembers(isPrivate, ["source.json", "destination.json"])
    for (const name of [...isPrivate, "config.json", "writer.json", "source.json.worker-0-1f.tmp"])
      assert.isTrue(Connector.holdsCredentials(name), name)
    for (const name of ["state.json", "streams.json", "source.json.gz", "mysource.json", "user_id.txt"])
      assert.isFalse(Connector.holdsCredentials(name), name)
    // The connector gets its configs decrypted: the key is none of its business.
    assert.isUndefined(secretKey)
  })

  it("a clear knows no source", () => {
    const { files } = Connector.requestedClear(Connector.CLEAR_ARGS, configs)
    assert.sameMembers(
      files.map(({ name }) => name),
      ["destination.json", "streams.json"]
    )
  })
})
