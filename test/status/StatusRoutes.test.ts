import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { createServer, request } from "node:http"
import type { JobsDocument } from "../../src/status/Document.ts"
import { RunRegistry } from "../../src/status/RunRegistry.ts"
import * as StatusRoutes from "../../src/status/StatusRoutes.ts"
import { eventually } from "../support/Conditions.ts"
import { chromium, tab } from "../support/Browser.ts"
import { testConfigLayer } from "../support/TestConfig.ts"
import { failure, hostile, sighting, step } from "./support.ts"

/** The routes on a port of their own, and the registry behind them. */
const served = (statusPage = true) =>
  Effect.gen(function* () {
    const server = createServer()
    const context = yield* Layer.build(
      HttpRouter.serve(StatusRoutes.layer, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provideMerge(RunRegistry.layer),
        Layer.provide(NodeHttpServer.layer(() => server, { port: 0, host: "127.0.0.1" })),
        Layer.provide(
          testConfigLayer({
            health: { statusPage },
            kubernetes: { podName: "worker-0" },
            database: { password: Redacted.make("marker-password") }
          })
        )
      )
    )
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    const stop = Effect.sync(() => (server.closeAllConnections(), server.close()))
    return { port, stop, url: `http://127.0.0.1:${port}`, registry: Context.get(context, RunRegistry) }
  })

interface Raw {
  readonly status: number
  readonly headers: NodeJS.Dict<string | ReadonlyArray<string>>
  readonly body: string
}

/** As it stands: `fetch` would tidy the path. */
const raw = (port: number, path: string, method = "GET") =>
  Effect.callback<Raw>((resume) => {
    const call = request({ host: "127.0.0.1", port, path, method }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (text: string) => (body += text))
      response.on("end", () =>
        resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, body }))
      )
    })
    call.end()
  })

const bodyOf = (text: string) => JSON.parse(text) as JobsDocument

describe("the routes", () => {
  it.live("answer with runs, and may be kept, framed or guessed at by nobody", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { port, registry } = yield* served()
        const entry = yield* registry.begin(step(), "preparing")
        yield* entry.sighted(sighting({ detail: "because of marker-password" }))
        yield* entry.ended(
          { state: "failed", failure: { ...failure, cause: "marker-password is wrong" } },
          false
        )
        const { status, headers, body } = yield* raw(port, "/jobs")
        assert.strictEqual(status, 200)
        assert.strictEqual(headers["content-type"], "application/json; charset=utf-8")
        assert.deepInclude(bodyOf(body), { version: 1, worker: "worker-0", omitted: 0 })
        assert.deepInclude(bodyOf(body).runs[0], { workflowId: "sync-123-7", state: "failed" })
        assert.notInclude(body, "marker")
        const page = yield* raw(port, "/")
        assert.strictEqual(page.headers["content-type"], "text/html; charset=utf-8")
        assert.match(
          String(page.headers["content-security-policy"]),
          /^default-src 'none'; script-src 'sha256-/
        )
        assert.notMatch(String(page.headers["content-security-policy"]), /unsafe|https?:|\*/)
        // Nothing is loaded from anywhere.
        assert.notMatch(page.body, /\b(?:src|href)="(?!\/jobs")|@import|url\(/)
        for (const answer of [page, { headers }]) {
          assert.deepInclude(answer.headers, {
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "no-referrer"
          })
          assert.isUndefined(answer.headers["access-control-allow-origin"])
        }
      })
    )
  )

  for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    it.live(`refuse ${method}`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { port } = yield* served()
          for (const path of ["/", "/jobs"]) {
            const { status, headers } = yield* raw(port, path, method)
            assert.strictEqual(status, 405, path)
            assert.strictEqual(headers.allow, "GET, HEAD")
          }
        })
      )
    )
  }

  it.live("answer HEAD without a body", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { port } = yield* served()
        for (const path of ["/", "/jobs", "/jobs?since=1"]) {
          const { status, body } = yield* raw(port, path, "HEAD")
          assert.deepStrictEqual([status, body], [200, ""])
        }
      })
    )
  )

  it.live("know no other path, however it is written", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { port } = yield* served()
        for (const path of [
          "/jobs/7",
          "/index.html",
          "/../../etc/passwd",
          "/jobs/../../etc/passwd",
          "/%2e%2e/%2e%2e/etc/passwd",
          "/..%2f..%2fetc%2fpasswd",
          "/jobs%00",
          "/%",
          "/%ff",
          "/.git/config",
          "//127.0.0.1/jobs2",
          `/${"a".repeat(4_000)}`
        ]) {
          const { status, body } = yield* raw(port, path)
          assert.strictEqual(status, 404, path)
          assert.notInclude(body, "root:")
        }
      })
    )
  )

  it.live("are not there where they are switched off", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { port } = yield* served(false)
        for (const path of ["/", "/jobs"]) assert.strictEqual((yield* raw(port, path)).status, 404)
      })
    )
  )
})

describe.skipIf(chromium === undefined)("the page in Chromium", () => {
  const opened = Effect.gen(function* () {
    const site = yield* served()
    const page = yield* tab(chromium ?? "")
    const until = (what: string, expression: string) =>
      eventually(what, async () => ((await page.evaluate(expression)) === true ? true : undefined))
    return { ...site, page, until, open: Effect.promise(() => page.open(site.url)) }
  })

  it.live(
    "shows hostile names, lines and failures as the texts they are",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { page, open, until, registry } = yield* opened
          for (const [index, text] of hostile.entries()) {
            const run = step({ workflowId: `${text} ${index}`, connector: text })
            const entry = yield* registry.begin(run, "preparing")
            yield* entry.sighted(sighting({ pod: text, node: text, detail: text }))
            const line = { time: text, level: text, message: text }
            yield* registry.sampled(run, { progress: undefined, lastLines: [line], isLast: false })
            if (index % 2 === 0)
              yield* entry.ended(
                { state: "failed", failure: { type: text, cause: text, remedy: text } },
                false
              )
          }
          yield* open
          yield* until("all runs", `document.querySelectorAll("li.run").length === ${hostile.length}`)
          assert.strictEqual(
            yield* Effect.promise(() =>
              page.evaluate(
                `document.querySelectorAll("main img, main script, main svg, main iframe").length`
              )
            ),
            0
          )
          assert.strictEqual(yield* Effect.promise(() => page.evaluate("typeof window.pwned")), "undefined")
          const shown = String(yield* Effect.promise(() => page.evaluate("document.body.textContent")))
          for (const text of hostile.slice(0, 5)) assert.include(shown, text)
          assert.deepStrictEqual(page.troubles, [])
        })
      ),
    60_000
  )

  it.live(
    "would not run what is injected even so: its policy forbids it",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { page, open, until } = yield* opened
          yield* open
          yield* until("the worker's answer", `document.querySelector("li.none") !== null`)
          const refused = yield* Effect.promise(() =>
            page.evaluate(`(() => {
              try { document.body.innerHTML = "<img src=x onerror='window.pwned=1'>" } catch (error) { return error.name }
              return "taken"
            })()`)
          )
          assert.strictEqual(refused, "TypeError")
        })
      ),
    60_000
  )

  it.live(
    "follows a run to its end by itself, keeps what is unfolded, and says when the worker is gone",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { page, open, until, registry, stop } = yield* opened
          const entry = yield* registry.begin(step(), "preparing")
          yield* entry.sighted(sighting())
          const progress = { rows: 1_500, rowsPerSecond: 150, remainingSeconds: 10, writtenAt: 9_000 }
          const lastLines = [
            { time: "2026-11-24T04:00:00Z", level: "info", message: "reading public.orders" }
          ]
          yield* registry.sampled(step(), { progress, lastLines, isLast: false })
          yield* open
          yield* until("its bar", `document.querySelector("#active progress")?.value === 0.5`)
          const text = String(
            yield* Effect.promise(() => page.evaluate(`document.querySelector("#active").innerText`))
          )
          assert.match(text, /sync of job 7/)
          assert.match(text, /50 % · 1,500 rows · 150 rows\/s · 10 s left/)
          yield* Effect.promise(() => page.evaluate(`document.querySelector("summary").click()`))
          yield* entry.ended({ state: "failed", failure }, false)
          yield* until("its end", `document.querySelector("#over .failure") !== null`)
          const over = String(
            yield* Effect.promise(() => page.evaluate(`document.querySelector("#over").innerText`))
          )
          assert.include(over, "What to do: Raise JOB_MEMORY_LIMIT.")
          assert.include(over, "reading public.orders")
          assert.isTrue(yield* Effect.promise(() => page.evaluate(`document.querySelector("details").open`)))
          assert.deepStrictEqual(page.troubles, [])
          yield* stop
          yield* until(
            "the worker is missed, in what a screen reader says",
            `document.querySelector("[role=status]").innerText.startsWith("The worker does not answer")`
          )
          assert.isTrue(yield* Effect.promise(() => page.evaluate(`document.querySelector("details").open`)))
        })
      ),
    60_000
  )

  it.live(
    "fits a phone, and is dark where the system is",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { page, open, until, registry } = yield* opened
          const entry = yield* registry.begin(step({ workflowId: "w".repeat(180) }), "preparing")
          yield* entry.sighted(sighting({ detail: "x".repeat(400) }))
          yield* Effect.promise(() => page.size(360, 740))
          yield* open
          yield* until("the run", `document.querySelector("li.run") !== null`)
          assert.isTrue(
            yield* Effect.promise(() => page.evaluate("document.documentElement.scrollWidth <= 360")),
            "nothing is wider than the screen"
          )
          const ground = () => page.evaluate("getComputedStyle(document.body).backgroundColor")
          const scheme = (value: string) =>
            page.call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] })
          yield* Effect.promise(() => scheme("light"))
          assert.strictEqual(yield* Effect.promise(ground), "rgb(246, 247, 249)")
          yield* Effect.promise(() => scheme("dark"))
          assert.strictEqual(yield* Effect.promise(ground), "rgb(16, 20, 24)")
        })
      ),
    60_000
  )
})
