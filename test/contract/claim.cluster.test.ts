import { describe, layer } from "@effect/vitest"
import { clusterAccess } from "../support/world/ClusterAccess.ts"
import { clusterWorld } from "../support/world/World.ts"
import { claimSuite, firstClaimSuite } from "./claimSuite.ts"

const access = await clusterAccess()

describe.skipIf(!access.available)("a job's claim on a real cluster", () => {
  if (!access.available) return
  layer(clusterWorld(access.kubeconfig, "chart"), { timeout: "120 seconds", excludeTestServices: true })(
    (it) => {
      claimSuite((name, test, timeout = 90_000) => it.effect(name, test, { timeout, concurrent: true }))
    }
  )
})

describe.skipIf(!access.available)("a job's claim on a real cluster, by the first contract", () => {
  if (!access.available) return
  layer(clusterWorld(access.kubeconfig), { timeout: "120 seconds", excludeTestServices: true })((it) => {
    firstClaimSuite((name, test, timeout = 90_000) => it.effect(name, test, { timeout, concurrent: true }))
  })
})
