import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
    // A wait without an end must fail here, not in CI's clock.
    teardownTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: { name: "tests", include: ["test/**/*.test.ts"], exclude: ["test/faults/**"] }
      },
      {
        // These freeze the API server, stop the kubelet and fill the node: nothing else may use the cluster meanwhile.
        extends: true,
        test: {
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          maxWorkers: 1,
          sequence: { groupOrder: 1 }
        }
      }
    ]
  }
})
