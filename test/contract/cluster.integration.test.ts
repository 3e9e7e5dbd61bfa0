import { describe, layer } from "@effect/vitest"
import { clusterAccess } from "../support/world/ClusterAccess.ts"
import { clusterWorld } from "../support/world/World.ts"
import { clusterSuite } from "./clusterSuite.ts"
import { clusterFaultSuite, faultSuite } from "./faultSuite.ts"
import { requestSuite } from "./requestSuite.ts"
import { workerSuite } from "./workerSuite.ts"

const access = await clusterAccess()

describe.skipIf(!access.available)("the second contract on a real cluster", () => {
  if (!access.available) return
  layer(clusterWorld(access.kubeconfig, "chart"), { timeout: "120 seconds", excludeTestServices: true })(
    (it) => {
      requestSuite((name, test, timeout = 60_000) => it.effect(name, test, timeout))
      faultSuite((name, test, timeout) => it.effect(name, test, timeout))
      clusterFaultSuite((name, test, timeout) => it.effect(name, test, timeout))
    }
  )
})

describe.skipIf(!access.available)("on a real cluster", () => {
  if (!access.available) return
  layer(clusterWorld(access.kubeconfig), { timeout: "120 seconds", excludeTestServices: true })((it) => {
    workerSuite((name, test, timeout = 60_000) => it.effect(name, test, timeout))
    clusterSuite((name, test, timeout = 60_000) => it.effect(name, test, timeout))
  })
})
