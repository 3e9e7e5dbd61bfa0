/** One after the other: each harms the cluster, and would harm the others too. */
import { causesSuite } from "./causes.ts"
import { freezeSuite } from "./freeze.ts"
import { nodeSuite } from "./node.ts"
import { soakSuite } from "./soak.ts"

causesSuite()
freezeSuite()
soakSuite()
nodeSuite()
