import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** What takes longest, and mostly waits: begun first, it is over when all the rest is. */
const LONGEST = [
  "contract/claim",
  "contract/frontend",
  "contract/stores",
  "contract/cluster",
  "helm/install",
  "contract/restart",
  "contract/local",
  "library",
  "contract/adoption",
  "doctor/"
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

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 180_000,
    // A wait without an end must fail here, not in CI's clock.
    teardownTimeout: 30_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        // No server, and no build: they use the processor all the time.
        extends: true,
        test: {
          name: "units",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.integration.test.ts", "test/faults/**"],
          maxWorkers: 2
        }
      },
      {
        // The built worker among real servers, in worlds of its own: most of it is waiting.
        extends: true,
        test: {
          name: "integration",
          include: ["test/**/*.integration.test.ts"],
          maxWorkers: 5,
          // They share the processor.
          testTimeout: 60_000,
          sequence: { groupOrder: 1 }
        }
      },
      {
        // These freeze the API server, stop the kubelet and fill the node: nothing else may use the cluster meanwhile.
        extends: true,
        test: {
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          maxWorkers: 1,
          sequence: { groupOrder: 2 }
        }
      }
    ]
  }
})
