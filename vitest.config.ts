import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** What takes longest, and mostly waits: begun first, it is over when all the rest is. */
const LONGEST = [
  "faults/",
  "contract/claim",
  "contract/contract.cluster",
  "helm/install",
  "contract/frontend",
  "contract/stores",
  "contract/restart",
  "contract/local",
  "library",
  "contract/adoption",
  "doctor/Doctor"
]

class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((name) => moduleId.includes(`/test/${name}`))
      return at < 0 ? LONGEST.length : at
    }
    const usual = super.sort.bind(this)
    return (await usual(files)).toSorted((one, other) => place(one) - place(other))
  }
}

const INTEGRATION = "test/**/*.integration.test.ts"
const CLUSTER = "test/**/*.cluster.test.ts"
const FAULTS = "test/faults/**/*.test.ts"

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 300_000,
    // A wait without an end must fail here, not in CI's clock.
    teardownTimeout: 30_000,
    // Most suites wait most of the time.
    maxWorkers: 5,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        // No server, and no build: they use the processor all the time.
        extends: true,
        test: {
          name: "units",
          include: ["test/**/*.test.ts"],
          exclude: [INTEGRATION, CLUSTER, FAULTS],
          maxWorkers: 2
        }
      },
      {
        extends: true,
        test: { name: "cluster", include: [CLUSTER], testTimeout: 60_000, sequence: { groupOrder: 1 } }
      },
      {
        // They harm the cluster: nothing else may use it meanwhile.
        extends: true,
        test: { name: "faults", include: [FAULTS], sequence: { groupOrder: 2 } }
      },
      {
        // The built worker among real servers, in worlds of its own; they share the processor.
        extends: true,
        test: {
          name: "integration",
          include: [INTEGRATION],
          testTimeout: 60_000,
          sequence: { groupOrder: 2 }
        }
      }
    ]
  }
})
