import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
    // A wait without an end must fail here, not in CI's clock.
    teardownTimeout: 30_000
  }
})
