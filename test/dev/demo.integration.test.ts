import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { SHOP_ROWS } from "../../dev/postgres/Shop.ts"

const DEMO = fileURLToPath(new URL("../../dev/demo/main.ts", import.meta.url))

const demo = (args: ReadonlyArray<string>) =>
  Effect.callback<{ readonly exitCode: number; readonly output: string }>((resume, signal) => {
    execFile(process.execPath, [DEMO, ...args], { signal }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : Number(error.code ?? 1)
      resume(Effect.succeed({ exitCode, output: stdout + stderr }))
    })
  })

describe("npm run demo", () => {
  it.live(
    "tests, discovers and syncs twice, in plain lines where there is no terminal, and leaves nothing",
    () =>
      Effect.gen(function* () {
        const { exitCode, output } = yield* demo([])
        assert.strictEqual(exitCode, 0, output)
        const { customers, orders, products } = SHOP_ROWS
        for (const text of [
          "SUCCEEDED",
          "FAILED: failed to connect to postgres",
          "public.customers, public.orders, public.products",
          `moved: customers ${customers}, orders ${orders}, products ${products}`,
          "moved: orders 25",
          `"id": ${orders + 25}`
        ]) {
          assert.include(output, text)
        }
        assert.notMatch(output, /\p{Cc}(?<!\n)/u)
        const folder = /(\S*olake-demo-[^/]*)/.exec(output)?.[1] ?? ""
        assert.isAbove(folder.length, 0)
        assert.isFalse(existsSync(folder))
      }),
    90_000
  )
})
