import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import { type Alert, alertText, Webhook, type WebhookError } from "../../src/notification/Webhook.ts"
import { eventually } from "../support/Conditions.ts"
import { listenerThat, type Reply } from "../support/Listener.ts"
import { hastyClock, withLines } from "./support.ts"

const alert: Alert = {
  jobId: 7,
  jobName: "shop to files",
  error: "could not open the replication slot",
  lastRunTime: Date.UTC(2026, 10, 23, 17, 0, 0)
}

const D = "-".repeat(43)
const textOf = (name: string, error: string) =>
  `🚨 *Sync Failure Detected!* \n\n${D} \n\n• *Job ID:* \`7\` \n\n• *Job Name:* \`${name}\` \n\n• *Error:* \`\`\`${error}\`\`\` \n\n• *Last Run Time:* 2026-11-23 17:00:00 UTC \n\n${D} \n\n`

/** The bound of a try, and that of an answer's body. */
const LIMITS = [10, 1]

const send = (url: string) =>
  Effect.flatMap(Webhook, (webhook) => webhook.send(Redacted.make(url), alert)).pipe(
    Effect.provide(Webhook.layer)
  )

const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Reply =>
  (response) =>
    response.writeHead(code, headers).end("ok")

/** Sends once to a server that answers so, without waiting between the tries. */
const sent = (reply: Reply, path = "/hook", expired: ReadonlyArray<number> = []) =>
  Effect.gen(function* () {
    const server = yield* listenerThat(reply)
    const { using, waits } = hastyClock(LIMITS, expired)
    const exit = yield* Effect.exit(using(send(server.url + path)))
    return { ...server, waits, exit }
  })

const errorOf = (effect: ReturnType<typeof send>) => Effect.flip(hastyClock(LIMITS).using(effect))

const between = (waits: ReadonlyArray<number>, ...bounds: ReadonlyArray<readonly [number, number]>) => {
  assert.lengthOf(waits, bounds.length)
  for (const [index, [least, most]] of bounds.entries()) {
    assert.isAtLeast(waits[index] ?? 0, least)
    assert.isAtMost(waits[index] ?? 0, most)
  }
}

describe("the text of an alert", () => {
  it("is the Go worker's", () => {
    assert.strictEqual(alertText(alert), textOf("shop to files", "could not open the replication slot"))
    assert.strictEqual(
      alertText({ ...alert, error: " \n" }),
      textOf("shop to files", "No critical error lines found. See full logs for details.")
    )
  })

  it("neither name nor error end their quotes", () =>
    assert.strictEqual(
      alertText({ ...alert, jobName: "a`b\n\n*c*", error: "x```y`\nz" }),
      textOf("a'b *c*", "x'''y'\nz")
    ))

  it("holds 2,500 characters of the error, none by half", () => {
    const most = "x".repeat(2_500)
    assert.strictEqual(alertText({ ...alert, error: most }), textOf("shop to files", most))
    assert.strictEqual(
      alertText({ ...alert, error: `${most}y` }),
      textOf("shop to files", `${"x".repeat(2_499)}…`)
    )
    for (const error of [`x${"🚨".repeat(2_000)}`, "🚨".repeat(2_000)])
      assert.isTrue(alertText({ ...alert, error }).isWellFormed())
  })
})

describe("an alert", () => {
  it.live("is one POST of JSON, to the very URL", () =>
    Effect.gen(function* () {
      const { heard, exit } = yield* sent(status(200), "/services/T0%2FB0/x;y?key=a%20b&key=c+d&n")
      assert.strictEqual(exit._tag, "Success")
      assert.deepStrictEqual(
        heard.map(({ method, path }) => [method, path]),
        [["POST", "/services/T0%2FB0/x;y?key=a%20b&key=c+d&n"]]
      )
      assert.strictEqual(heard[0]?.headers["content-type"], "application/json")
      assert.strictEqual(heard[0]?.body, JSON.stringify({ text: alertText(alert) }))
    })
  )

  it.live("goes without the trace that the run is part of", () =>
    Effect.gen(function* () {
      const { url, heard } = yield* listenerThat(status(200))
      yield* Effect.withSpan(send(url), "run")
      assert.notMatch(Object.keys(heard[0]?.headers ?? {}).join(), /traceparent|b3/)
    })
  )

  for (const code of [201, 204, 299]) {
    it.live(`is sent with status ${code}`, () =>
      Effect.gen(function* () {
        const { heard, exit } = yield* sent(status(code))
        assert.strictEqual(exit._tag, "Success")
        assert.lengthOf(heard, 1)
      })
    )
  }

  for (const code of [302, 307, 308]) {
    it.live(`follows no redirect: ${code}`, () =>
      Effect.gen(function* () {
        const { url, heard } = yield* listenerThat((response) =>
          response.writeHead(code, { location: "/elsewhere" }).end()
        )
        const error = yield* errorOf(send(`${url}/hook`))
        assert.include(error.message, `status ${code}, which is not followed`)
        assert.deepStrictEqual(
          heard.map(({ path }) => path),
          ["/hook"]
        )
      })
    )
  }

  for (const code of [400, 403, 404, 410]) {
    it.live(`is not repeated after status ${code}`, () =>
      Effect.gen(function* () {
        const { heard, exit, waits } = yield* sent(status(code, { "retry-after": "5" }))
        assert.strictEqual(exit._tag, "Failure")
        assert.lengthOf(heard, 1)
        assert.deepStrictEqual(waits, [])
      })
    )
  }

  for (const code of [429, 500, 503]) {
    it.live(`is repeated three times after status ${code}: about 1, 2 and 4 s later`, () =>
      Effect.gen(function* () {
        const { heard, exit, waits } = yield* sent(status(code))
        assert.strictEqual(exit._tag, "Failure")
        assert.lengthOf(heard, 4)
        between(waits, [0.8, 1.2], [1.6, 2.4], [3.2, 4.8])
      })
    )
  }

  it.live("arrives with the first try that works", () =>
    Effect.gen(function* () {
      const { heard, exit } = yield* sent((response, _, index) =>
        index === 1 ? response.destroy() : response.writeHead(index === 2 ? 502 : 200).end()
      )
      assert.strictEqual(exit._tag, "Success")
      assert.lengthOf(heard, 3)
      assert.lengthOf(new Set(heard.map(({ body }) => body)), 1)
    })
  )

  it.live("waits as long as the server wishes, 30 s at most, and never less than its own time", () =>
    Effect.gen(function* () {
      const wishes = ["17", "86400", "0"]
      const { waits } = yield* sent((response, _, index) =>
        response.writeHead(429, { "retry-after": wishes[index - 1] ?? "1" }).end()
      )
      between(waits, [17, 17], [30, 30], [3.2, 4.8])
    })
  )

  it.live("once taken is not sent again because the rest of the answer is missing", () =>
    Effect.gen(function* () {
      const halves: ReadonlyArray<Reply> = [
        (response) => void response.writeHead(200, { "content-length": "9" }).write("ok"),
        (response) =>
          void response.writeHead(200, { "content-length": "9" }).write("ok", () => response.destroy())
      ]
      for (const half of halves) {
        const { heard, open, exit } = yield* sent(half, "/hook", [1])
        assert.strictEqual(exit._tag, "Success")
        assert.lengthOf(heard, 1)
        yield* eventually("the connection is closed", () => (open() === 0 ? true : undefined))
      }
    })
  )

  it.effect("waits 10 s for an answer", () =>
    Effect.gen(function* () {
      const { url, heard, open } = yield* listenerThat(() => undefined)
      const fiber = yield* Effect.forkChild(send(url))
      yield* TestClock.withLive(eventually("it was asked", () => (heard.length === 1 ? true : undefined)))
      yield* TestClock.adjust("9900 millis")
      assert.strictEqual(open(), 1)
      yield* TestClock.adjust("200 millis")
      yield* TestClock.withLive(
        eventually("the connection is closed", () => (open() === 0 ? true : undefined))
      )
      assert.lengthOf(heard, 1)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.live("is repeated where no answer comes", () =>
    Effect.gen(function* () {
      const { heard, exit, waits } = yield* sent(() => undefined, "/hook", [10])
      assert.include(inspect(exit, { depth: 9 }), "no answer in 10s")
      assert.lengthOf(heard, 4)
      assert.lengthOf(waits, 3)
    })
  )
})

describe("a webhook_alert_url that is none", () => {
  for (const url of [
    "hooks.slack.com/secret-path",
    "ftp://host/secret-path",
    "secret-path",
    "http://",
    " "
  ]) {
    it.effect(`is said without its text: ${JSON.stringify(url)}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(send(url))
        assert.strictEqual(
          error.message,
          "The alert was not sent: webhook_alert_url of project settings: must be an http or https URL. Set the URL again in the UI."
        )
        assert.isFalse(error.isRetryable)
        assert.notInclude(inspect(error, { depth: 12 }), "secret")
      })
    )
  }

  it.live("white space around a good one does no harm", () =>
    Effect.gen(function* () {
      const { url, heard } = yield* listenerThat(status(200))
      yield* send(` ${url}/hook\n`)
      assert.strictEqual(heard[0]?.path, "/hook")
    })
  )
})

describe("the URL is a secret", () => {
  /** All that anybody could read of the failure. */
  const shown = (error: WebhookError, lines: ReadonlyArray<string>) =>
    [
      error.message,
      String(error),
      error.stack,
      JSON.stringify(error),
      inspect(error, { depth: 12, showHidden: true }),
      Cause.pretty(Cause.fail(error)),
      ...lines
    ].join("\n")

  const ways: Readonly<Record<string, Reply>> = {
    "a refusal": status(403),
    "a redirect": status(302, { location: "http://127.0.0.1/secret-elsewhere" }),
    "a server in trouble": status(503),
    "a broken connection": (response) => void response.destroy(),
    "an answer that is not HTTP": (response) => void response.socket?.end("secret-word\r\n\r\n")
  }
  for (const [title, reply] of Object.entries(ways)) {
    it.live(`${title} tells its host only`, () =>
      Effect.gen(function* () {
        const { url } = yield* listenerThat(reply)
        const { host } = new URL(url)
        const { result, lines } = yield* withLines(
          errorOf(send(`http://secret-user:secret-word@${host}/services/secret-path?secret-key=1#secret`))
        )
        assert.include(result.message, `(host ${host})`)
        assert.notInclude(shown(result, lines), "secret")
      })
    )
  }

  it.live("nobody there, no such host, a URL that Node refuses", () =>
    Effect.gen(function* () {
      const urls = [
        "http://127.0.0.1:1/secret-path",
        "http://host.invalid/secret-path",
        "https://127.0.0.1:1/secret-path",
        "http://%secret@127.0.0.1:1/secret-path"
      ]
      for (const url of urls) {
        const { result, lines } = yield* withLines(errorOf(send(url)))
        assert.strictEqual(result.host, new URL(url).host)
        assert.match(result.message, /Is that host well, and can the worker reach it\?$/)
        assert.notInclude(shown(result, lines), "secret")
      }
    })
  )
})
