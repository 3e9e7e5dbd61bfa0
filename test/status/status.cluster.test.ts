import { suiteOnCluster } from "../support/world/Suites.ts"
import { statusSuite } from "./statusSuite.ts"

suiteOnCluster("the status of runs on a real cluster", "plain", (it) => {
  statusSuite((name, test, timeout = 60_000) => it.effect(name, test, timeout))
})
