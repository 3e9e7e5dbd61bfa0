import * as Config from "../../src/Config.ts"

/** A worker's settings in tests: the defaults, with what the test is about on top. */
export const testConfig = Config.make
export const testConfigLayer = Config.WorkerConfig.layer
