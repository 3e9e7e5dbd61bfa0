import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { execFile } from "node:child_process"
import { webcrypto } from "node:crypto"
import * as http from "node:http"
import * as path from "node:path"
import { promisify } from "node:util"
import { Decryption, type DecryptionError } from "../../src/database/Decryption.ts"
import { testConfigLayer } from "../support/TestConfig.ts"

const WHAT = "source config of job 7"

const layerOf = (key: string | undefined, kmsEndpoint?: string) =>
  Decryption.layer.pipe(
    Layer.provide(
      testConfigLayer({
        jobs: { ...(key === undefined ? {} : { secretKey: Redacted.make(key) }), kmsEndpoint }
      })
    )
  )

const decrypt = (stored: string) => Effect.flatMap(Decryption, (service) => service.decrypt(stored, WHAT))

const decryptWith = (key: string | undefined, stored: string) =>
  decrypt(stored).pipe(Effect.provide(layerOf(key)))

const encrypt = (key: string, plaintext: string) =>
  Effect.promise(async () => {
    const { subtle } = webcrypto
    const bytes = (text: string) => new TextEncoder().encode(text)
    const hash = await subtle.digest("SHA-256", bytes(key))
    const aes = await subtle.importKey("raw", hash, "AES-GCM", false, ["encrypt"])
    const iv = webcrypto.getRandomValues(new Uint8Array(12))
    const sealed = await subtle.encrypt({ name: "AES-GCM", iv }, aes, bytes(plaintext))
    return JSON.stringify(Buffer.concat([iv, new Uint8Array(sealed)]).toString("base64"))
  })

/** No form of the error shows one of the texts. */
const assertSilent = (error: DecryptionError, ...secrets: ReadonlyArray<string>) => {
  const shown = [error.message, String(error), JSON.stringify(error), error.stack].join("\n")
  for (const secret of secrets) assert.notInclude(shown, secret)
}

const VECTOR = `"AAAAAAAAAAAAAAAA9ehzwePvWTX7bPGfRKWTar6eS5QAUYo="`

describe("a key's text", () => {
  for (const [name, key, stored, plaintext] of [
    ["the vector", "test-key", VECTOR, `{"a":1}`],
    [
      // Made by Python's cryptography 48.0.0: AESGCM(sha256(key).digest()).encrypt(nonce, plaintext, None).
      "a row that Python encrypted, with a key that begins and ends with spaces",
      "  Schlüssel mit Leerzeichen 🔑 ",
      `"jx06XH6QstT2CBorb2gz3Ae1tPXYjQduqOyYq/wrgICbErGmcHKAXlVOn0Rtpa1wLbkEeFUJCxGJogt8BI++YZhijhxS7i4uzX5y83fXylZ3VYXtf6hz++dq6f06LMXYVv9THIyw86OoLiZh++i2quQrlP4oEAD8lT8b3w=="`,
      `{"host":"größe.example","password":"pä\\"ss wörd 🔐","port":5432,"id":12345678901234567890}`
    ],
    [
      // Made by Go 1.26.8 in the way of OLake's UI: crypto/cipher's NewGCM and Seal, printed with %q.
      "a row that Go encrypted",
      "a key of Go's",
      `"AQIDBAUGBwgJCgsM8WyQmBEuDFy5TvE23rfxGX7sykr3JrUBKr2BQJADOulRL19qFUNZMikN7tD6YrLEjyKl30LwWFDJoEnWrQZauKXFNcyW3RdRi85EYhktuVc/zg=="`,
      `{"writer":{"iceberg_s3_path":"s3a://bücket/ß"},"type":"ICEBERG"}`
    ]
  ] as const) {
    it.effect(name, () => Effect.map(decryptWith(key, stored), (text) => assert.strictEqual(text, plaintext)))
  }

  it.effect.prop(
    "opens what it sealed, to the last character",
    [Schema.String, Schema.Record(Schema.String, Schema.String)],
    ([key, config]) =>
      Effect.gen(function* () {
        const plaintext = JSON.stringify({ ...config, ключ: "🔐 ß\u0000" })
        const stored = yield* encrypt(`k${key}`, plaintext)
        assert.strictEqual(yield* decryptWith(`k${key}`, stored), plaintext)
      })
  )

  const sealed = Buffer.from(String(JSON.parse(VECTOR)), "base64")
  const asStored = (bytes: Uint8Array) => JSON.stringify(Buffer.from(bytes).toString("base64"))
  const flipped = (at: number) =>
    asStored(sealed.map((byte, index) => (index === at % sealed.length ? byte ^ 1 : byte)))

  for (const [name, key, stored, words] of [
    ["another key", "another-key", VECTOR, "Check that OLAKE_SECRET_KEY is the UI's"],
    ["the same key with a line end", "test-key\n", VECTOR, "OLAKE_SECRET_KEY"],
    ["a changed nonce", "test-key", flipped(0), "is damaged"],
    ["a changed text", "test-key", flipped(14), "is damaged"],
    ["a changed tag", "test-key", flipped(-1 + sealed.length), "is damaged"],
    ["a text without its last byte", "test-key", asStored(sealed.subarray(0, -1)), "is damaged"],
    ["a nonce and half a tag", "test-key", asStored(sealed.subarray(0, 20)), "cut off"],
    ["an empty text", "test-key", `""`, "cut off"],
    ["no base64", "test-key", `"{not base64}"`, "base64"],
    ["base64 without padding", "test-key", VECTOR.replace("=", ""), "base64"],
    ["base64 for URLs", "test-key", VECTOR.replace("+", "-").replace("9ehz", "-_hz"), "base64"],
    ["nothing", "test-key", "", "neither"],
    ["blanks", "test-key", "  ", "neither"],
    ["no JSON", "test-key", `{"password":"marker-plain`, "neither"],
    ["null", "test-key", "null", "neither"],
    ["a number", "test-key", "7", "neither"],
    ["a list", "test-key", `["marker-plain"]`, "neither"]
  ] as const) {
    it.effect(`${name} is final, and says what to do`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(decryptWith(key, stored))
        assert.deepInclude(error, { _tag: "DecryptionError", what: WHAT, isRetryable: false })
        assert.include(error.message, `The ${WHAT} cannot be decrypted: `)
        assert.include(error.message, words)
        assertSilent(error, "test-key", "another-key", "marker", "AAAA", `"a":1`)
      })
    )
  }

  for (const plaintext of [`"marker-plain"`, "[1]", "null", "marker-plain", "", `{"a":`]) {
    it.effect(`an encrypted ${plaintext === "" ? "nothing" : plaintext} is no config`, () =>
      Effect.gen(function* () {
        const stored = yield* encrypt("test-key", plaintext)
        const error = yield* Effect.flip(decryptWith("test-key", stored))
        assert.include(error.message, "no JSON object")
        assert.isFalse(error.isRetryable)
        assertSilent(error, "marker", "test-key", stored.slice(1, -1))
      })
    )
  }

  it.effect.prop("whatever is stored, there is no defect", [Schema.String], ([text]) =>
    Effect.gen(function* () {
      yield* Effect.exit(decryptWith("k", text)).pipe(Effect.map(assertNoDefect))
      yield* Effect.exit(decryptWith("k", JSON.stringify(text))).pipe(Effect.map(assertNoDefect))
    })
  )
})

const assertNoDefect = (exit: Exit.Exit<unknown, unknown>) => assert.isFalse(Exit.hasDies(exit))

describe("what is returned as it is", () => {
  for (const key of [undefined, "", "  ", "\n\t"]) {
    it.effect(`anything, where the key is ${JSON.stringify(key) ?? "not set"}`, () =>
      Effect.gen(function* () {
        for (const stored of [VECTOR, `{"a": 1}`, "", "no JSON"])
          assert.strictEqual(yield* decryptWith(key, stored), stored)
      })
    )
  }

  it.effect("an object that was saved before the key was set, to the last digit", () =>
    Effect.gen(function* () {
      const stored = ` {"b": 1, "a": 12345678901234567890}`
      assert.strictEqual(yield* decryptWith("test-key", stored), stored)
      assert.strictEqual(yield* decryptWith(ARN, stored), stored)
    })
  )
})

const ARN = "arn:aws:kms:eu-central-1:111122223333:key/marker-of-a-key"
const BLOB = Buffer.from("marker-of-a-ciphertext").toString("base64")
const PLAINTEXT = `{"password":"marker-of-a-plaintext ß"}`

interface Asked {
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}
interface Answer {
  readonly status: number
  readonly body: unknown
}
const opened: Answer = {
  status: 200,
  body: { Plaintext: Buffer.from(PLAINTEXT).toString("base64"), KeyId: ARN }
}
const refused = (status: number, type: string): Answer => ({
  status,
  body: { __type: type, message: `User: marker-of-a-user is not authorized on ${ARN}` }
})

/** Answers as KMS does, one answer after the other and the last one on; undefined: never. */
const kmsStandIn = (...answers: ReadonlyArray<Answer | undefined>) =>
  Effect.gen(function* () {
    const asked: Array<Asked> = []
    let heard = () => {}
    const first = new Promise<void>((resolve) => (heard = resolve))
    const server = http.createServer((request, response) => {
      let body = ""
      request.setEncoding("utf8").on("data", (text: string) => (body += text))
      request.on("end", () => {
        const answer = answers[Math.min(asked.length, answers.length - 1)]
        asked.push({ headers: request.headers, body })
        heard()
        if (answer === undefined) return
        response.writeHead(answer.status, { "content-type": "application/x-amz-json-1.1" })
        response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body))
      })
    })
    // Longer than any test: who closes a connection is the client.
    server.keepAliveTimeout = 60_000
    let connections = 0
    let open = 0
    server.on("connection", (socket) => {
      connections += 1
      open += 1
      socket.once("close", () => (open -= 1))
    })
    const port = yield* Effect.acquireRelease(
      Effect.callback<number>((resume) => {
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
        })
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    return {
      url: `http://127.0.0.1:${port}`,
      asked,
      connections: () => connections,
      open: () => open,
      asksFirst: Effect.promise(() => first)
    }
  })

/** What AWS's default chain finds: these alone, until the scope ends. */
const environment = (variables: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = Object.entries(process.env).filter(([name]) => name.startsWith("AWS_"))
      for (const [name] of before) delete process.env[name]
      Object.assign(process.env, variables)
      return before
    }),
    (before) =>
      Effect.sync(() => {
        for (const name of Object.keys(variables)) delete process.env[name]
        Object.assign(process.env, Object.fromEntries(before))
      })
  )

const isolated = {
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_CONFIG_FILE: "/nonexistent/config",
  AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
  // Not the key's; the ARN's counts.
  AWS_REGION: "us-west-2"
}
const credentials = {
  ...isolated,
  AWS_ACCESS_KEY_ID: "AKIAEXAMPLE",
  AWS_SECRET_ACCESS_KEY: "marker-of-a-secret",
  AWS_SESSION_TOKEN: "marker-of-a-session"
}

describe("a KMS key", () => {
  it.live("is asked with the ciphertext alone, signed for the ARN's region, by one client", () =>
    Effect.scoped(
      Effect.gen(function* () {
        yield* environment(credentials)
        const kms = yield* kmsStandIn(opened)
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(layerOf(ARN, kms.url), scope)
        const both = Effect.all([decrypt(`"${BLOB}"`), decrypt(`"${BLOB}"`)], { concurrency: 2 })
        assert.deepStrictEqual(yield* Effect.provide(both, context), [PLAINTEXT, PLAINTEXT])
        assert.strictEqual(yield* Effect.provide(decrypt(`"${BLOB}"`), context), PLAINTEXT)
        assert.lengthOf(kms.asked, 3)
        for (const { headers, body } of kms.asked) {
          assert.strictEqual(headers["x-amz-target"], "TrentService.Decrypt")
          assert.strictEqual(headers["content-type"], "application/x-amz-json-1.1")
          assert.strictEqual(headers["x-amz-security-token"], "marker-of-a-session")
          assert.match(
            headers.authorization ?? "",
            /^AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE\/\d{8}\/eu-central-1\/kms\/aws4_request, SignedHeaders=\S+, Signature=[0-9a-f]{64}$/
          )
          assert.deepStrictEqual(JSON.parse(body), { CiphertextBlob: BLOB })
        }
        // One client: the third call uses a connection of the first two. They are closed with the layer.
        assert.isAtMost(kms.connections(), 2)
        assert.isAbove(kms.open(), 0)
        yield* Scope.close(scope, Exit.void)
        const closed = Effect.repeat(Effect.sleep("10 millis"), { while: () => kms.open() > 0 })
        yield* Effect.timeout(closed, "5 seconds")
      })
    )
  )

  it.live("is asked where AWS's own variable says, without the setting", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const kms = yield* kmsStandIn(opened)
        yield* environment({ ...credentials, AWS_ENDPOINT_URL_KMS: kms.url })
        assert.strictEqual(yield* decryptWith(ARN, `"${BLOB}"`), PLAINTEXT)
        assert.lengthOf(kms.asked, 1)
      })
    )
  )

  it.live("is asked again after 500 and throttling", () =>
    Effect.scoped(
      Effect.gen(function* () {
        yield* environment(credentials)
        for (const failure of [refused(500, "KMSInternalException"), refused(400, "ThrottlingException")]) {
          const kms = yield* kmsStandIn(failure, failure, opened)
          const text = yield* decrypt(`"${BLOB}"`).pipe(Effect.provide(layerOf(ARN, kms.url)))
          assert.strictEqual(text, PLAINTEXT)
          assert.lengthOf(kms.asked, 3)
        }
      })
    )
  )

  for (const [status, type, asks, isRetryable, words] of [
    [400, "AccessDeniedException", 1, false, "kms:Decrypt"],
    [400, "NotFoundException", 1, false, "kms:Decrypt"],
    [400, "InvalidCiphertextException", 1, false, "kms:Decrypt"],
    [400, "IncorrectKeyException", 1, false, "OLAKE_SECRET_KEY"],
    [400, "DisabledException", 1, false, "Enable it"],
    [400, "KMSInvalidStateException", 1, false, "pending deletion"],
    [400, "ValidationException", 1, false, "kms:Decrypt"],
    [400, "UnrecognizedClientException", 1, true, "credentials"],
    [400, "ThrottlingException", 3, true, "later"],
    [500, "KMSInternalException", 3, true, "later"],
    [500, "KeyUnavailableException", 3, true, "later"],
    [503, "ServiceUnavailable", 3, true, "later"]
  ] as const) {
    it.live(`${type} ${isRetryable ? "may pass" : "is final"}`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          yield* environment(credentials)
          const kms = yield* kmsStandIn(refused(status, type))
          const error = yield* Effect.flip(decrypt(`"${BLOB}"`).pipe(Effect.provide(layerOf(ARN, kms.url))))
          assert.deepInclude(error, { _tag: "DecryptionError", what: WHAT, isRetryable })
          assert.include(error.message, `AWS KMS: ${type} (HTTP ${status})`)
          assert.include(error.message, words)
          assert.lengthOf(kms.asked, asks)
          assertSilent(error, "marker", BLOB, ARN)
        })
      )
    )
  }

  it.live("nobody at the endpoint, and no credentials, may pass", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const fail = Effect.flip(
          decrypt(`"${BLOB}"`).pipe(Effect.provide(layerOf(ARN, "http://127.0.0.1:1")))
        )
        const unreachable = yield* Effect.scoped(Effect.andThen(environment(credentials), fail))
        assert.isTrue(unreachable.isRetryable)
        assert.include(unreachable.message, "ECONNREFUSED: no answer")
        assertSilent(unreachable, "marker", BLOB, ARN)
        const nobody = yield* Effect.scoped(Effect.andThen(environment(isolated), fail))
        assert.isTrue(nobody.isRetryable)
        assert.include(nobody.message, "no valid AWS credentials")
      })
    )
  )

  it.live("is asked again where one attempt hangs", () =>
    Effect.scoped(
      Effect.gen(function* () {
        yield* environment(credentials)
        const kms = yield* kmsStandIn(undefined, opened)
        const text = yield* decrypt(`"${BLOB}"`).pipe(Effect.provide(layerOf(ARN, kms.url)))
        assert.strictEqual(text, PLAINTEXT)
        assert.lengthOf(kms.asked, 2)
      })
    )
  )

  it.effect("that does not answer is given up after 10 seconds, and tried again by who asked", () =>
    Effect.scoped(
      Effect.gen(function* () {
        yield* environment(credentials)
        const kms = yield* kmsStandIn(undefined)
        const context = yield* Layer.build(layerOf(ARN, kms.url))
        const fiber = yield* Effect.forkChild(
          Effect.exit(Effect.flip(decrypt(`"${BLOB}"`).pipe(Effect.provide(context))))
        )
        yield* kms.asksFirst
        yield* TestClock.adjust("9 seconds")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 seconds")
        const exit = yield* Fiber.join(fiber)
        assert(Exit.isSuccess(exit))
        assert.isTrue(exit.value.isRetryable)
        assert.include(exit.value.message, "did not answer in 10 seconds")
      })
    )
  )

  it.live("that answers without a config is an error, and shows nothing of it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        yield* environment(credentials)
        for (const body of [{ KeyId: ARN }, { Plaintext: Buffer.from("marker").toString("base64") }]) {
          const kms = yield* kmsStandIn({ status: 200, body })
          const error = yield* Effect.flip(decrypt(`"${BLOB}"`).pipe(Effect.provide(layerOf(ARN, kms.url))))
          assert.include(error.message, "no JSON object")
          assertSilent(error, "marker", ARN)
        }
      })
    )
  )

  it.live("that answers with what is no JSON may pass, and nothing of it is shown", () =>
    Effect.scoped(
      Effect.gen(function* () {
        yield* environment(credentials)
        for (const [status, body] of [
          [200, `{"Plaintext":"marker-of-a-plaintext`],
          [200, "marker-of-a-plaintext"],
          [400, "marker-of-a-proxy"]
        ] as const) {
          const kms = yield* kmsStandIn({ status, body })
          const error = yield* Effect.flip(decrypt(`"${BLOB}"`).pipe(Effect.provide(layerOf(ARN, kms.url))))
          assertSilent(error, "marker", ARN, BLOB)
        }
      })
    )
  )

  it.live("costs nothing before something is to be decrypted with it: the SDK is loaded then", () =>
    Effect.gen(function* () {
      const { stdout } = yield* Effect.promise(() =>
        promisify(execFile)(process.execPath, ["--input-type=module", "--eval", LOADED], {
          cwd: path.resolve(import.meta.dirname, "../..")
        })
      )
      assert.deepStrictEqual(JSON.parse(stdout), {
        "test-key": [false, false],
        // Neither with the layer nor when an idle worker ends.
        idle: false,
        [ARN]: [false, true]
      })
    })
  )

  it.effect("without a region is final", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(decryptWith("arn:aws:kms:", `"${BLOB}"`))
      assert.isFalse(error.isRetryable)
      assert.include(error.message, "region")
    })
  )
})

/** In a process of its own: whether the SDK is loaded with the layer, and after a call that fails. */
const LOADED = `
  import { Context, Effect, Layer, Redacted } from "effect"
  import { createRequire } from "node:module"
  import { WorkerConfig } from "./src/Config.ts"
  import { Decryption } from "./src/database/Decryption.ts"
  const { cache } = createRequire(import.meta.url)
  const isLoaded = () => Object.keys(cache).some((file) => file.includes("@aws-sdk/client-kms"))
  const seen = {}
  const layerOf = (key) => {
    const jobs = { secretKey: Redacted.make(key), kmsEndpoint: "http://127.0.0.1:1" }
    return Decryption.layer.pipe(Layer.provide(WorkerConfig.layer({ jobs })))
  }
  await Effect.runPromise(Effect.scoped(Layer.build(layerOf("${ARN}"))))
  seen.idle = isLoaded()
  for (const key of ["test-key", "${ARN}"]) {
    const program = Effect.gen(function* () {
      const { decrypt } = Context.get(yield* Layer.build(layerOf(key)), Decryption)
      const before = isLoaded()
      yield* Effect.exit(decrypt('"AAAA"', "a config"))
      seen[key] = [before, isLoaded()]
    })
    await Effect.runPromise(Effect.scoped(program))
  }
  console.log(JSON.stringify(seen))
`
