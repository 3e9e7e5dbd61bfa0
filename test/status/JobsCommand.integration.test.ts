/** `olake-worker jobs`, as users run it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { jobsDocument } from "../../src/status/Document.ts"
import { begun } from "../../src/status/RunChanges.ts"
import { eventually } from "../support/Conditions.ts"
import { MAIN, olakeWorker } from "../support/Jobs.ts"
import { listenerThat } from "../support/Listener.ts"
import { step } from "./support.ts"

const document = JSON.stringify(jobsDocument([begun(undefined, step(), "preparing", 0)], "worker-0", 1_000))

/** What answers instead of a worker. */
const answering = (status: number, body: string) =>
  listenerThat((response) => {
    response.statusCode = status
    response.end(body)
  })

describe("olake-worker jobs", () => {
  for (const [status, body, words] of [
    [404, "", "is OLAKE_STATUS_PAGE false there?"],
    [503, "", "it answers 503"],
    [200, "<html></html>", "no worker of a version known here"],
    [200, document.replace(`"version":1`, `"version":2`), "no worker of a version known here"]
  ] as const) {
    it.live(`says so where the answer is ${status} ${body.slice(0, 20)}`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { url } = yield* answering(status, body)
          const { code, stdout, stderr } = yield* olakeWorker(["jobs", "--url", url])
          assert.deepStrictEqual([code, stdout], [1, ""])
          assert.include(stderr, `${url}/jobs: `)
          assert.include(stderr, words)
        })
      )
    )
  }

  it.live("says so where nobody answers, with the way to a worker", () =>
    Effect.map(olakeWorker(["jobs"], { HEALTH_PORT: "1" }), ({ code, stderr }) => {
      assert.strictEqual(code, 1)
      assert.include(stderr, "http://localhost:1/jobs: no answer")
      assert.include(stderr, "port-forward")
    })
  )

  for (const [args, words] of [
    [["--wach"], "--wach"],
    [["--url", "localhost:8090"], "--url"],
    [["all"], "all"]
  ] as const) {
    it.live(`does not understand ${args.join(" ")}`, () =>
      Effect.map(olakeWorker(["jobs", ...args]), ({ code, stdout, stderr }) => {
        assert.strictEqual(code, 2)
        assert.include(stdout + stderr, words)
      })
    )
  }

  it.live("shows new fields of a later worker no less", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { url, heard } = yield* answering(200, document.replace("{", `{"mood":"good",`))
        const { code, stdout } = yield* olakeWorker(["jobs", "--url", `${url}/`])
        assert.strictEqual(code, 0)
        assert.include(stdout, "sync of job 7  postgres  preparing, 1 s")
        assert.deepStrictEqual(
          heard.map(({ method, path }) => [method, path]),
          [["GET", "/jobs"]]
        )
      })
    )
  )

  it.live("goes on with --watch, until it is stopped", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { url, heard } = yield* answering(200, document)
        const child = spawn(process.execPath, [MAIN, "jobs", "--watch", "--json", "--url", url], {
          env: { PATH: process.env.PATH },
          stdio: ["ignore", "pipe", "inherit"]
        })
        let output = ""
        child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text))
        const closed = new Promise<number | null>((resolve) => child.once("close", resolve))
        yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
        yield* eventually("it asks again", () => (heard.length >= 2 ? true : undefined))
        yield* eventually("it prints again", () => (output.split("\n").length > 2 ? true : undefined))
        child.kill("SIGINT")
        assert.strictEqual(yield* Effect.promise(() => closed), 0)
        assert.deepStrictEqual(output.trim().split("\n").slice(0, 2), [document, document])
      })
    )
  )

  it.live.skipIf(process.platform !== "linux")(
    "has a screen of its own on a terminal, and leaves the other as it was",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { url, heard } = yield* answering(200, document)
          const command = `stty cols 60 rows 20; exec '${process.execPath}' '${MAIN}' jobs --watch --url '${url}'`
          const terminal = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
            env: { PATH: process.env.PATH, SHELL: "/bin/sh", TERM: "xterm" },
            stdio: ["pipe", "pipe", "inherit"]
          })
          let output = ""
          terminal.stdout.setEncoding("utf8").on("data", (text: string) => (output += text))
          const closed = new Promise<number | null>((resolve) => terminal.once("close", resolve))
          yield* Effect.addFinalizer(() => Effect.sync(() => terminal.kill("SIGKILL")))
          yield* eventually("it is drawn again", () => (heard.length >= 2 ? true : undefined))
          terminal.stdin.write("\u0003")
          assert.strictEqual(yield* Effect.promise(() => closed), 0)
          const [before = "", screen = "", after = ""] = output
            .replace("\u001b[?1049l", "\u001b[?1049h")
            .split("\u001b[?1049h")
          assert.notInclude(before + after, "sync of job 7")
          assert.include(screen, "\u001b[34m●\u001b[0m sync of job 7  postgres  preparing, 1 s")
        })
      )
  )
})
