import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Config from "../src/Config.ts"
import { ConfigProblems, readGroup } from "../src/config/Load.ts"
import * as Setting from "../src/config/Setting.ts"

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

  it("a password is taken as it is, a key without the space around it", () => {
    const settings = settingsOf({ DB_PASSWORD: " pass word\n", OLAKE_SECRET_KEY: " key\n" })
    assert.strictEqual(Redacted.value(settings.database.password), " pass word\n")
    assert.strictEqual(Redacted.value(settings.jobs.secretKey ?? Redacted.make("")), "key")
    assert.lengthOf(settings.warnings, 1)
    assert.include(settings.warnings[0], "DB_PASSWORD")
    assert.notInclude(settings.warnings[0], "word\n")
    assert.lengthOf(problemsOf({ DB_PASSWORD: "  " }), 1)
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
      OLAKE_JOB_MAPPING: `{"123":{"node-type":" gpu ","kubernetes.io/arch":"arm64"},"x":{"a":"b"},"5":{"a":7},"6":{"bad key!":"b"},"7":null,"8":{},"0123":{"a":"b"},"9":{"a..b/c":"d"}}`
    })
    assert.deepStrictEqual(
      [...jobs.mapping],
      [
        [8, {}],
        [123, { "node-type": "gpu", "kubernetes.io/arch": "arm64" }]
      ]
    )
    assert.lengthOf(warnings, 6)
    for (const path of ["OLAKE_JOB_MAPPING.x", ".5.a", ".6.bad key!", ".7", ".0123", ".9.a..b/c"]) {
      assert.isTrue(warnings.some((warning) => warning.includes(path)))
    }
  })
})

describe("in the environment of OLake's chart", () => {
  const chart = { OLAKE_CALLBACK_URL: "http://olake-ui:8000/internal/worker/callback" }
  const inChart = (over: Env = {}) => {
    const env: Env = { ...chart, ...over }
    const result = Config.fromLookup((name) => env[name], Object.keys(env))
    if (result instanceof ConfigProblems) throw result
    return result
  }

  it("what is unset is as with the Go worker", () => {
    const settings = inChart()
    assert.include(settings.temporal, {
      address: "temporal:7233",
      namespace: "default",
      taskQueue: "OLAKE_DOCKER_TASK_QUEUE"
    })
    assert.deepStrictEqual(settings.temporal.retention, Duration.hours(168))
    assert.include(settings.database, {
      host: "postgresql",
      port: 5432,
      name: "postgres",
      user: "temporal",
      runMode: "dev"
    })
    assert.strictEqual(Redacted.value(settings.database.password), "temporal")
    assert.strictEqual(settings.logging.format, "console")
    assert.strictEqual(settings.storage.logRetention, 30)
    assert.isTrue(settings.jobs.storageProbe)
    assert.isTrue(settings.jobs.keepUnmappedAway)
    assert.strictEqual(settings.bareJobId, "second")
    assert.deepStrictEqual(settings.warnings, [])
  })

  it("what is set counts", () => {
    const settings = inChart({
      TEMPORAL_ADDRESS: "t:1",
      DB_HOST: "pg",
      LOG_FORMAT: "json",
      LOG_RETENTION_PERIOD: "7",
      DB_CONN_MAX_LIFETIME: "300"
    })
    assert.strictEqual(settings.temporal.address, "t:1")
    assert.strictEqual(settings.database.host, "pg")
    assert.strictEqual(settings.logging.format, "json")
    assert.strictEqual(settings.storage.logRetention, 7)
    assert.deepStrictEqual(settings.database.connectionMaxLifetime, Duration.minutes(5))
  })

  it("namespace and queue count only with a Temporal of others, whose retention is left alone", () => {
    const given = { TEMPORAL_NAMESPACE: "data", TEMPORAL_TASK_QUEUE: "olake" }
    const own = inChart(given)
    assert.include(own.temporal, { namespace: "default", taskQueue: "OLAKE_DOCKER_TASK_QUEUE" })
    assert.lengthOf(own.warnings, 2)
    const others = inChart({ ...given, TEMPORAL_EXTERNAL: "true" })
    assert.include(others.temporal, { namespace: "data", taskQueue: "olake" })
    assert.isUndefined(others.temporal.retention)
    assert.deepStrictEqual(others.warnings, [])
  })

  it("elsewhere nothing of it holds", () => {
    assert.strictEqual(settingsOf().bareJobId, "first")
    assert.isUndefined(settingsOf().temporal.retention)
    assert.isUndefined(settingsOf().storage.logRetention)
    assert.isFalse(settingsOf().jobs.storageProbe)
  })

  it("half a pair of certificate and key is named", () => {
    const problems = problemsOf({ TEMPORAL_TLS_CLIENT_CERT_PATH: "/tls/tls.crt" })
    assert.lengthOf(problems, 1)
    assert.include(problems[0], "TEMPORAL_TLS_CLIENT_KEY_PATH")
  })
})

describe("what is wrong", () => {
  it("nothing, where all is well", () => assert.deepStrictEqual(problemsOf(), []))

  const wrong: ReadonlyArray<readonly [string, string]> = [
    ["TEMPORAL_HOST_PORT", "temporal"],
    ["TEMPORAL_HOST_PORT", "temporal:0"],
    ["TEMPORAL_HOST_PORT", "temporal:99999"],
    ["DB_PORT", "70000"],
    ["DB_MAX_IDLE_CONNS", "-1"],
    ["JOB_SERVICE_ACCOUNT_NAME", "Robot"],
    ["OLAKE_SECRET_NAME", "a..b"],
    ["OLAKE_SECRET_NAME_KEY", "a/b"],
    ["JOB_MEMORY_REQUEST", "1 GB"],
    ["JOB_TERMINATION_GRACE_PERIOD", "1d"],
    ["TIMEOUT_ACTIVITY_DISCOVER", "2 hours"],
    ["MAX_CONCURRENT_WORKFLOWS", "ten"],
    ["MAX_CONCURRENT_SYNCS", "0"],
    ["WORKER_NAMESPACE", "a.b"],
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
    ["LOG_FORMAT", "xml"],
    ["LOG_RETENTION_PERIOD", "0"],
    ["TEMPORAL_EXTERNAL", "perhaps"],
    ["TEMPORAL_ENABLE_TLS", "yes"],
    ["TEMPORAL_TLS_CLIENT_CERT_PATH", "cert.pem"],
    ["TEMPORAL_TLS_CLIENT_KEY_PATH", "key.pem"],
    ["TEMPORAL_TLS_SERVER_CA_CERT_PATH", "ca.pem"],
    ["TEMPORAL_RETENTION_PERIOD", "a week"],
    ["POD_SECURITY_CONTEXT", "[1]"],
    ["OLAKE_JOB_POD_ANNOTATIONS", `{"a b":"c"}`],
    ["JOB_EXIT_MARKER", "perhaps"],
    ["JOB_STORAGE_PROBE", "often"],
    ["OLAKE_KMS_ENDPOINT", "kms:443"],
    ["TELEMETRY_DISABLED", "maybe"],
    ["OLAKE_STATUS_PAGE", "perhaps"],
    ["OLAKE_CALLBACK_URL", "olake-ui"],
    ["OLAKE_JOB_PROFILES", "[]"],
    ["OLAKE_KEEP_UNMAPPED_AWAY", "no"],
    ["OLAKE_CONFIGMAP_NAME", "Config_Map"]
  ]
  for (const [variable, value] of wrong) {
    it(`${variable}=${value} is one line that names it`, () => {
      const problems = problemsOf({ [variable]: value })
      assert.lengthOf(problems, 1)
      assert.isTrue(problems[0]?.startsWith(`${variable}: expected `), problems[0])
      assert.include(problems[0], JSON.stringify(value))
    })
  }

  it("every setting is above, except those that any text is good for", () => {
    const anyText = [
      "TEMPORAL_NAMESPACE",
      "TEMPORAL_TASK_QUEUE",
      "TEMPORAL_API_KEY",
      "TEMPORAL_TLS_SERVER_NAME",
      "DB_HOST",
      "DB_NAME",
      "DB_USER",
      "DB_PASSWORD",
      "KUBECONFIG",
      "POD_NAME",
      "CONTAINER_REGISTRY_BASE",
      "OLAKE_SECRET_KEY"
    ]
    const covered = [...wrong.map(([variable]) => variable), ...anyText]
    assert.sameMembers(
      [...new Set(covered)],
      Config.settingsTable.map(({ variable }) => variable)
    )
  })

  // These two are wrong only beside a request that is right.
  const wrongByItself = [...new Set(wrong.map(([variable]) => variable))].filter(
    (variable) => !["JOB_CPU_LIMIT", "JOB_MEMORY_LIMIT"].includes(variable)
  )

  it.prop(
    "any choice of wrong variables is exactly their lines, and no secret is among them",
    [Schema.Array(Schema.Literals(wrongByItself))],
    ([variables]) => {
      const chosen = [...new Set(variables)]
      const problems = problemsOf({
        ...Object.fromEntries(wrong.filter(([variable]) => chosen.includes(variable))),
        OLAKE_SECRET_KEY: "marker-key"
      })
      assert.sameMembers(
        problems.map((problem) => problem.split(":")[0] ?? ""),
        chosen
      )
      assert.notInclude(problems.join(), "marker")
    }
  )

  it.prop("no environment makes reading it throw", [Schema.Record(Schema.String, Schema.String)], ([env]) => {
    problemsOf(env)
    const values = Object.values(env)
    problemsOf(
      Object.fromEntries(
        Config.settingsTable.map(({ variable }, i) => [variable, values[i % (values.length || 1)]])
      )
    )
  })

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

  it("a secret that is refused is named, not shown", () => {
    const kind = { ...Setting.secret, parse: () => undefined }
    const problems: Array<string> = []
    readGroup({ key: Setting.required("A_KEY", kind, "a key") }, () => "marker-key", problems)
    assert.deepStrictEqual(problems, ["A_KEY: expected a text"])
  })

  it("Kubernetes' own DB_PORT is explained", () =>
    assert.include(problemsOf({ DB_PORT: "tcp://10.0.0.1:5432" })[0], "enableServiceLinks"))
})

describe("what is odd", () => {
  for (const [name, suggestion] of [
    ["OLAKE_STORAGE_PVC", "OLAKE_STORAGE_PVC_NAME"],
    ["TIMEOUT_ACTIVITY_SNYC", "TIMEOUT_ACTIVITY_SYNC"],
    ["OLAKE_JOB_MAPING", "OLAKE_JOB_MAPPING"],
    ["JOB_MEMORY_LIMT", "JOB_MEMORY_LIMIT"],
    ["MAX_CONCURENT_SYNCS", "MAX_CONCURRENT_SYNCS"]
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
        JOB_NAME: "jenkins",
        JOB_COMPLETION_INDEX: "0",
        POD_NAMESPACE: "olake",
        TEMPORAL_SERVICE_HOST: "1.2.3.4",
        DB_PORT_5432_TCP: "tcp://1.2.3.4:5432",
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
      const exit = yield* fromEnv({
        ...good,
        OLAKE_JOB_MAPING: "{}",
        JOB_CPU_LIMTI: "1",
        HEALTH_PORT: "1234"
      })
      assert(exit._tag === "Success")
      assert.strictEqual(exit.value.health.port, 1234)
      assert.strictEqual(Redacted.value(exit.value.database.password), "marker-password")
      assert.lengthOf(exit.value.warnings, 2)
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
