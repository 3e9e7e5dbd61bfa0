import { describe, layer } from "@effect/vitest"
import { localWorld } from "../support/World.ts"
import { workerSuite } from "./workerSuite.ts"

describe("on LocalPods", () => {
  layer(localWorld, { timeout: "60 seconds", excludeTestServices: true })((it) => {
    workerSuite((name, test, timeout = 30_000) => it.effect(name, test, timeout))
  })
})
