/** A real Chromium without a window, driven over its DevTools protocol. */
import * as Effect from "effect/Effect"
import { execFileSync, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

const NAMES = ["chromium", "chromium-browser", "google-chrome"]

const find = (): string | undefined => {
  const named = process.env.CHROMIUM_PATH
  const candidates = named === undefined ? NAMES : [named]
  const found = candidates.find((name) => {
    try {
      execFileSync(name, ["--version"], { stdio: "ignore" })
      return true
    } catch {
      return false
    }
  })
  if (found !== undefined) return found
  const what = `no ${candidates.join(", ")} to be run; install one (Debian: apt-get install chromium) or set CHROMIUM_PATH`
  if (process.env.OLAKE_TEST_BROWSER === "required")
    throw new Error(`OLAKE_TEST_BROWSER=required, but ${what}`)
  console.warn(`SKIPPED: tests of the page in a browser: ${what}`)
  return undefined
}

/** Undefined where there is none, which is said loudly. */
export const chromium = find()

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly message: string }
}

const PATIENCE = 20_000

const endpointOf = (stderr: NodeJS.ReadableStream) =>
  new Promise<string>((resolve, reject) => {
    let said = ""
    const timer = setTimeout(() => reject(new Error(`Chromium does not start: ${said}`)), PATIENCE)
    stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text
      const [, url] = /DevTools listening on (ws:\S+)/.exec(said) ?? []
      if (url === undefined) return
      clearTimeout(timer)
      resolve(url)
    })
  })

const connect = (url: string) =>
  new Promise<WebSocket>((resolve, reject) => {
    const socket = new WebSocket(url)
    socket.addEventListener("open", () => resolve(socket), { once: true })
    socket.addEventListener("error", () => reject(new Error(`no connection to ${url}`)), { once: true })
  })

/** One page. */
export interface Tab {
  readonly call: (method: string, params?: object) => Promise<Readonly<Record<string, unknown>>>
  /** What the expression comes to, as JSON has it. */
  readonly evaluate: (expression: string) => Promise<unknown>
  readonly open: (url: string) => Promise<void>
  readonly size: (width: number, height: number) => Promise<void>
  readonly screenshot: () => Promise<Buffer>
  /** Dialogs, errors and violations of the page's policy so far. */
  readonly troubles: ReadonlyArray<string>
}

const troubleIn = ({ method, params }: Message): string | undefined => {
  const isError =
    method === "Runtime.exceptionThrown" ||
    method === "Page.javascriptDialogOpening" ||
    (method === "Log.entryAdded" && (params?.entry as { level: string } | undefined)?.level === "error")
  return isError ? `${method}: ${JSON.stringify(params)}` : undefined
}

const tabOn = async (socket: WebSocket): Promise<Tab> => {
  const waiting = new Map<number, (message: Message) => void>()
  const troubles: Array<string> = []
  let count = 0
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as Message
    if (message.id !== undefined) waiting.get(message.id)?.(message)
    const trouble = troubleIn(message)
    if (trouble !== undefined) troubles.push(trouble)
  })
  const send = (method: string, params: object, sessionId?: string) =>
    new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
      const id = (count += 1)
      const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), PATIENCE)
      waiting.set(id, ({ result = {}, error }) => {
        clearTimeout(timer)
        waiting.delete(id)
        if (error === undefined) resolve(result)
        else reject(new Error(`${method}: ${error.message}`))
      })
      socket.send(JSON.stringify({ id, method, params, sessionId }))
    })
  const { targetId } = await send("Target.createTarget", { url: "about:blank" })
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true })
  const call = (method: string, params: object = {}) => send(method, params, String(sessionId))
  for (const domain of ["Page", "Runtime", "Log"]) await call(`${domain}.enable`)
  return {
    call,
    troubles,
    evaluate: async (expression) => {
      const { result, exceptionDetails } = await call("Runtime.evaluate", {
        expression,
        returnByValue: true,
        awaitPromise: true
      })
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
      return (result as { value?: unknown }).value
    },
    open: async (url) => void (await call("Page.navigate", { url })),
    size: async (width, height) =>
      void (await call("Emulation.setDeviceMetricsOverride", {
        width,
        height,
        deviceScaleFactor: 1,
        mobile: width < 500
      })),
    screenshot: async () => {
      const { data } = await call("Page.captureScreenshot", { format: "png" })
      return Buffer.from(String(data), "base64")
    }
  }
}

/** A new browser with one page; both are gone with the scope. */
export const tab = (program: string) =>
  Effect.gen(function* () {
    const profile = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "olake-browser-"))),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
    )
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(
          program,
          [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--remote-debugging-port=0",
            `--user-data-dir=${profile}`
          ],
          { stdio: ["ignore", "ignore", "pipe"] }
        )
      ),
      (browser) =>
        Effect.promise(
          () =>
            new Promise<void>((resolve) => {
              browser.once("close", () => resolve())
              browser.kill("SIGTERM")
            })
        )
    )
    return yield* Effect.promise(async () => tabOn(await connect(await endpointOf(child.stderr))))
  })
