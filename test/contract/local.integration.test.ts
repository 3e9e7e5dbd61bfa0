import { describe, layer } from "@effect/vitest"
import { localWorld } from "../support/world/World.ts"
import { faultSuite } from "./faultSuite.ts"
import { requestSuite } from "./requestSuite.ts"
import { workerSuite } from "./workerSuite.ts"

describe("the second contract on LocalPods", () => {
  layer(localWorld("chart"), { timeout: "60 seconds", excludeTestServices: true })((it) => {
    requestSuite((name, test, timeout = 30_000) => it.effect(name, test, timeout))
    faultSuite((name, test, timeout) => it.effect(name, test, timeout))
  })
})

describe("on LocalPods", () => {
  layer(localWorld(), { timeout: "60 seconds", excludeTestServices: true })((it) => {
    workerSuite((name, test, timeout = 30_000) => it.effect(name, test, timeout))
  })
})
