/** One after the other: each harms the cluster, and would harm the others too. */
import { describe } from "vitest"
import { clusterAccess } from "../support/world/ClusterAccess.ts"
import { causesSuite } from "./causes.ts"
import { freezeSuite } from "./freeze.ts"
import { nodeSuite } from "./node.ts"
import { soakSuite } from "./soak.ts"

const access = await clusterAccess()

describe.skipIf(!access.available)("on a real cluster", () => {
  causesSuite()
  freezeSuite()
  soakSuite()
})
nodeSuite()
