import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Config from "../src/Config.ts"
import { ConfigProblems } from "../src/config/Load.ts"

const good = {
  TEMPORAL_HOST_PORT: "temporal:7233",
  TEMPORAL_NAMESPACE: "default",
  TEMPORAL_TASK_QUEUE: "olake",
  DB_HOST: "db",
  DB_PORT: "5432",
  DB_NAME: "olake",
  DB_USER: "olake",
  DB_PASSWORD: "marker-password"
}

type Env = Readonly<Record<string, string | undefined>>

const read = (over: Env = {}) => {
  const env: Env = { ...good, ...over }
  return Config.fromLookup((name) => env[name], Object.keys(env))
}
const settingsOf = (over: Env = {}): Config.Settings => {
  const result = read(over)
  if (result instanceof ConfigProblems) throw result
  return result
}
const problemsOf = (over: Env = {}): ReadonlyArray<string> => {
  const result = read(over)
  return result instanceof ConfigProblems ? result.problems : []
}

describe("what is set", () => {
  it("has the defaults that README names", () => {
    const settings = settingsOf()
    assert.strictEqual(settings.health.port, 8090)
    assert.strictEqual(settings.concurrency.activities, 15)
    assert.strictEqual(settings.concurrency.workflows, 10)
    assert.deepStrictEqual(settings.timeouts.sync, Duration.hours(700))
    assert.strictEqual(settings.storage.path, "/data/olake-jobs")
    assert.strictEqual(settings.jobs.memoryRequest, "256Mi")
    assert.isUndefined(settings.jobs.memoryLimit)
    assert.strictEqual(settings.database.sslMode, "disable")
    assert.isAbove(settings.kubernetes.podName.length, 0)
  })

  it("an empty value is an unset one", () => {
    assert.strictEqual(settingsOf({ HEALTH_PORT: " " }).health.port, 8090)
    assert.isUndefined(settingsOf({ OLAKE_SECRET_KEY: "" }).jobs.secretKey)
    assert.lengthOf(problemsOf({ DB_HOST: "" }), 1)
  })

  it("TEMPORAL_ADDRESS serves too, and loses to TEMPORAL_HOST_PORT", () => {
    assert.strictEqual(
      settingsOf({ TEMPORAL_HOST_PORT: "", TEMPORAL_ADDRESS: "a:1" }).temporal.address,
      "a:1"
    )
    assert.strictEqual(settingsOf({ TEMPORAL_ADDRESS: "a:1" }).temporal.address, "temporal:7233")
  })

  it("durations are Go's or whole seconds", () => {
    assert.deepStrictEqual(
      settingsOf({ TIMEOUT_ACTIVITY_TEST: "2h45m" }).timeouts.test,
      Duration.minutes(165)
    )
    assert.deepStrictEqual(settingsOf({ TIMEOUT_ACTIVITY_TEST: "90" }).timeouts.test, Duration.seconds(90))
  })

  it("Kubernetes' default account is none", () =>
    assert.isUndefined(settingsOf({ JOB_SERVICE_ACCOUNT_NAME: "default" }).jobs.serviceAccountName))

  it("a mapping keeps its good entries and says which were bad", () => {
    const { jobs, warnings } = settingsOf({
      OLAKE_JOB_MAPPING: `{"123":{"node-type":" gpu "},"x":{"a":"b"},"5":{"a":7},"6":{"bad key!":"b"},"7":null,"8":{}}`
    })
    assert.deepStrictEqual([...jobs.mapping], [[123, { "node-type": "gpu" }]])
    assert.lengthOf(warnings, 5)
    for (const path of ["OLAKE_JOB_MAPPING.x", ".5.a", ".6.bad key!", ".7", ".8"]) {
      assert.isTrue(warnings.some((warning) => warning.includes(path)))
    }
  })
})

describe("what is wrong", () => {
  it("nothing, where all is well", () => assert.deepStrictEqual(problemsOf(), []))

  const wrong: ReadonlyArray<readonly [string, string]> = [
    ["TEMPORAL_HOST_PORT", "temporal"],
    ["DB_PORT", "70000"],
    ["DB_SSLMODE", "maybe"],
    ["DB_SSLROOTCERT", "ca.crt"],
    ["RUN_MODE", `dev"; DROP TABLE x`],
    ["DB_MAX_OPEN_CONNS", "0"],
    ["DB_CONN_MAX_LIFETIME", "soon"],
    ["WORKER_NAMESPACE", "Olake"],
    ["OLAKE_STORAGE_PVC_NAME", "a b"],
    ["OLAKE_JOB_MAPPING", "[1"],
    ["IMAGE_PULL_POLICY", "Sometimes"],
    ["IMAGE_PULL_SECRETS", "a,B!"],
    ["JOB_CPU_REQUEST", "many"],
    ["JOB_MEMORY_LIMIT", "1Mi"],
    ["JOB_CPU_LIMIT", "10m"],
    ["SHARED_STORAGE_PATH", "data"],
    ["TIMEOUT_ACTIVITY_SYNC", "-1h"],
    ["TIMEOUT_ACTIVITY_TEST", "0s"],
    ["MAX_CONCURRENT_ACTIVITIES", "1.5"],
    ["HEALTH_PORT", "http"],
    ["LOG_LEVEL", "loud"],
    ["LOG_FORMAT", "xml"]
  ]
  for (const [variable, value] of wrong) {
    it(`${variable}=${value} is one line that names it`, () => {
      const problems = problemsOf({ [variable]: value })
      assert.lengthOf(problems, 1)
      assert.isTrue(problems[0]?.startsWith(`${variable}: expected `), problems[0])
      assert.include(problems[0], JSON.stringify(value))
    })
  }

  for (const { variable } of Config.settingsTable.filter(({ required }) => required)) {
    it(`${variable} missing is one line`, () => {
      const problems = problemsOf({ [variable]: undefined })
      assert.lengthOf(problems, 1)
      assert.include(problems[0], variable)
      assert.include(problems[0], "is required but not set")
    })
  }

  it("three wrong are three lines, and no secret is among them", () => {
    const problems = problemsOf({
      DB_PORT: "x",
      LOG_LEVEL: "x",
      TEMPORAL_NAMESPACE: undefined,
      OLAKE_SECRET_KEY: "marker-key"
    })
    assert.lengthOf(problems, 3)
    assert.notInclude(new ConfigProblems({ problems }).message, "marker")
  })

  it("Kubernetes' own DB_PORT is explained", () =>
    assert.include(problemsOf({ DB_PORT: "tcp://10.0.0.1:5432" })[0], "enableServiceLinks"))
})

describe("what is odd", () => {
  for (const [name, suggestion] of [
    ["OLAKE_STORAGE_PVC", "OLAKE_STORAGE_PVC_NAME"],
    ["TIMEOUT_ACTIVITY_SNYC", "TIMEOUT_ACTIVITY_SYNC"],
    ["OLAKE_JOB_MAPING", "OLAKE_JOB_MAPPING"]
  ] as const) {
    it(`${name} is probably ${suggestion}`, () =>
      assert.deepStrictEqual(settingsOf({ [name]: "x" }).warnings, [
        `${name}: unknown variable, did you mean ${suggestion}?`
      ]))
  }

  it("says nothing of other programs' variables, nor of Kubernetes' Service links", () =>
    assert.deepStrictEqual(
      settingsOf({
        PATH: "/bin",
        OLAKE_CALLBACK_URL: "http://x",
        OLAKE_UI_PORT: "tcp://1.2.3.4:8000",
        OLAKE_UI_PORT_8000_TCP_ADDR: "1.2.3.4",
        OLAKE_WORKERS_SERVICE_HOST: "1.2.3.4",
        OLAKE_WORKERS_SERVICE_PORT_HTTP: "1"
      }).warnings,
      []
    ))
})

describe("the layer", () => {
  const fromEnv = (env: Record<string, string>) =>
    Effect.exit(
      Effect.provide(
        Effect.flatMap(Config.WorkerConfig, Effect.succeed),
        Config.WorkerConfig.layerFromEnv.pipe(
          Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
        )
      )
    )

  it.live("reads the environment and warns of unknown names", () =>
    Effect.gen(function* () {
      const exit = yield* fromEnv({ ...good, OLAKE_JOB_MAPING: "{}", HEALTH_PORT: "1234" })
      assert(exit._tag === "Success")
      assert.strictEqual(exit.value.health.port, 1234)
      assert.strictEqual(Redacted.value(exit.value.database.password), "marker-password")
      assert.lengthOf(exit.value.warnings, 1)
      assert.notInclude(JSON.stringify(exit.value), "marker-password")
    })
  )

  it.live("fails with every problem at once", () =>
    Effect.gen(function* () {
      const exit = yield* fromEnv({})
      assert(exit._tag === "Failure")
      assert.include(String(exit.cause), "DB_HOST")
      assert.include(String(exit.cause), "TEMPORAL_TASK_QUEUE")
    })
  )
})
