import { suiteOnCluster } from "../support/world/Suites.ts"
import { clusterSuite } from "./clusterSuite.ts"
import { clusterFaultSuite, faultSuite } from "./faultSuite.ts"
import { requestSuite } from "./requestSuite.ts"
import { takeoverSuite } from "./takeoverSuite.ts"
import { workerSuite } from "./workerSuite.ts"

suiteOnCluster("the second contract on a real cluster", "chart", (it) => {
  requestSuite((name, test, timeout = 60_000) => it.effect(name, test, timeout))
})

suiteOnCluster("what a run survives on a real cluster", "chart", (it) => {
  faultSuite((name, test, timeout) => it.effect(name, test, timeout))
  clusterFaultSuite((name, test, timeout) => it.effect(name, test, timeout))
})

suiteOnCluster("on a real cluster", "plain", (it) => {
  workerSuite((name, test, timeout = 60_000) => it.effect(name, test, timeout))
  clusterSuite((name, test, timeout = 60_000) => it.effect(name, test, timeout))
})

suiteOnCluster("a takeover from the Go worker on a real cluster", "chart", (it) => {
  takeoverSuite((name, test, timeout) => it.effect(name, test, timeout))
})
