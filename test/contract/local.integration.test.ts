import { suiteOnLocalPods } from "../support/world/Suites.ts"
import { faultSuite } from "./faultSuite.ts"
import { requestSuite } from "./requestSuite.ts"
import { workerSuite } from "./workerSuite.ts"

suiteOnLocalPods("the second contract on LocalPods", "chart", (it) => {
  requestSuite((name, test, timeout = 60_000) => it.effect(name, test, timeout))
})

suiteOnLocalPods("what a run survives on LocalPods", "chart", (it) => {
  faultSuite((name, test, timeout) => it.effect(name, test, timeout))
})

suiteOnLocalPods("on LocalPods", "plain", (it) => {
  workerSuite((name, test, timeout = 60_000) => it.effect(name, test, timeout))
})
