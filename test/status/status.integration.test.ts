import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { shopSource } from "../../dev/postgres/Shop.ts"
import { chromium, type Tab, tab } from "../support/Browser.ts"
import { eventually } from "../support/Conditions.ts"
import { suiteOnLocalPods } from "../support/world/Suites.ts"
import { ended, execute, params, uniqueId } from "../support/world/Workflows.ts"
import { World } from "../support/world/World.ts"
import { cancel, slowSync, statusSuite } from "./statusSuite.ts"

/** `OLAKE_UPDATE_SCREENSHOT=true` renews the picture in README. */
const keep = (page: Tab) =>
  Effect.promise(async () => {
    if (process.env.OLAKE_UPDATE_SCREENSHOT === undefined) return
    await page.call("Emulation.setScrollbarsHidden", { hidden: true })
    await page.evaluate(`document.querySelectorAll("details").forEach((details) => (details.open = true))`)
    writeFileSync(new URL("../../docs/status.png", import.meta.url), await page.screenshot())
  })

suiteOnLocalPods("the status of runs on LocalPods", "plain", (it) => {
  statusSuite((name, test, timeout = 60_000) => it.effect(name, test, timeout))

  it.effect.skipIf(chromium === undefined)(
    "a browser shows the same, refreshed by itself",
    () =>
      Effect.gen(function* () {
        const { healthPort, postgres } = yield* World
        const failing = uniqueId("discover-catalog")
        yield* execute("DiscoverCatalogWorkflow", failing, params(failing, "probe", { scenario: "exit-1" }))
        const check = uniqueId("test-connection")
        yield* execute("TestConnectionWorkflow", check, params(check, "postgres", shopSource(postgres)))
        const { id, jobId } = yield* slowSync
        const page = yield* tab(chromium ?? "")
        yield* Effect.promise(() => page.size(760, 820))
        yield* Effect.promise(() => page.open(`http://127.0.0.1:${healthPort}/`))
        const percent = (above: number) =>
          eventually(`the bar is above ${above}`, async () => {
            const value = Number(await page.evaluate(`document.querySelector("#active progress")?.value`))
            return value > above ? value : undefined
          })
        const first = yield* percent(0)
        yield* percent(first)
        const active = String(
          yield* Effect.promise(() => page.evaluate(`document.querySelector("#active").innerText`))
        )
        assert.match(active, new RegExp(`sync of job ${jobId}\\s+running, `))
        assert.match(active, /\d+ % · [\d,]+ rows · \d+ rows\/s · .+ left/)
        const over = String(
          yield* Effect.promise(() => page.evaluate(`document.querySelector("#over").innerText`))
        )
        assert.match(over, /ConnectorFailed The connector failed: could not open the replication slot/)
        assert.match(over, /What to do: /)
        yield* keep(page)
        assert.deepStrictEqual(page.troubles, [])
        yield* cancel(id)
        yield* ended(id)
      }).pipe(Effect.scoped),
    60_000
  )
})
