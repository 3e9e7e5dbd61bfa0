import { describe, layer } from "@effect/vitest"
import { localWorld } from "../support/world/World.ts"
import { claimSuite, firstClaimSuite } from "./claimSuite.ts"

describe("a job's claim on LocalPods", () => {
  layer(localWorld("chart"), { timeout: "120 seconds", excludeTestServices: true })((it) => {
    claimSuite((name, test, timeout = 90_000) => it.effect(name, test, { timeout, concurrent: true }))
  })
})

describe("a job's claim on LocalPods, by the first contract", () => {
  layer(localWorld(), { timeout: "120 seconds", excludeTestServices: true })((it) => {
    firstClaimSuite((name, test, timeout = 90_000) => it.effect(name, test, { timeout, concurrent: true }))
  })
})
