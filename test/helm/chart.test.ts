/** The chart without a cluster: what it renders, what it refuses, and that it fits the worker and its documents. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { readdirSync, readFileSync } from "node:fs"
import * as path from "node:path"
import { withTable } from "../../dev/chart/values.ts"
import { LocalPods } from "../../dev/local-pods/LocalPods.ts"
import { settingsTable } from "../../src/Config.ts"
import { KubernetesClient } from "../../src/kubernetes/api/KubernetesClient.ts"
import { CHART, find, helm, helmProgram, type Manifest, render, type Rule } from "../support/Helm.ts"
import { testConfigLayer } from "../support/TestConfig.ts"
import { everything, invalid, minimal, valid } from "./values.ts"

const root = path.join(CHART, "..")
const read = (file: string): string => readFileSync(path.join(root, file), "utf8")

interface Container {
  readonly name: string
  readonly image: string
  readonly env: ReadonlyArray<{ readonly name: string }>
}
interface Workload {
  readonly template: { readonly spec: { readonly containers: ReadonlyArray<Container> } }
}

/** SAFETY: what the chart renders as a Deployment is one; the API server takes it in the cluster's test. */
const containerOf = (manifests: ReadonlyArray<Manifest>): Container | undefined =>
  (find(manifests, "Deployment").spec as Workload).template.spec.containers[0]

const dataOf = (manifests: ReadonlyArray<Manifest>, name = "olake-workers-config") =>
  find(manifests, "ConfigMap", name).data ?? {}

describe.skipIf(helmProgram === undefined)("the chart", () => {
  it("has nothing that `helm lint` minds", () => {
    const { code, stdout } = helm(["lint", CHART, "--strict"], minimal)
    assert.strictEqual(code, 0, stdout)
  })

  for (const [what, values] of Object.entries(valid)) {
    it(`renders with ${what}`, () => assert.isNotEmpty(render(values())))
  }

  for (const [what, [values, message]] of Object.entries(invalid)) {
    it(`refuses ${what}, and says so`, () => {
      const { code, stderr } = helm(["template", "x", CHART], values)
      assert.strictEqual(code, 1)
      assert.include(stderr, message)
    })
  }

  it("has the names that are documented", () => {
    const manifests = render(minimal)
    assert.strictEqual(find(manifests, "Deployment").metadata.name, "olake-workers")
    assert.strictEqual(
      find(manifests, "Deployment").metadata.labels?.["app.kubernetes.io/name"],
      "olake-workers"
    )
    find(manifests, "ServiceAccount", "olake-workers-sa")
    find(manifests, "ConfigMap", "olake-workers-config")
    assert.match(containerOf(manifests)?.image ?? "", /^olakego\/olake-workers:\d/)
  })

  it("has a value for every setting of the worker", () => {
    const manifests = render(everything)
    const given = new Set([
      ...Object.keys(dataOf(manifests, "sync-workers-config")),
      ...(containerOf(manifests)?.env.map(({ name }) => name) ?? [])
    ])
    const missing = settingsTable
      .filter(({ variable, aliases }) => ![variable, ...aliases].some((name) => given.has(name)))
      .map(({ variable }) => variable)
    // In a cluster the ServiceAccount counts; the other has no effect.
    assert.deepStrictEqual(missing, ["DB_MAX_IDLE_CONNS", "KUBECONFIG"])
  })

  it("keeps secrets out of everything but Secrets", () => {
    const values = {
      temporal: { address: "t:1", apiKey: { value: "marker-a" } },
      database: { host: "h", user: "u", password: "marker-b" },
      encryption: { key: "marker-c" }
    }
    const others = render(values).filter(({ kind }) => kind !== "Secret")
    assert.notInclude(JSON.stringify(others), "marker-")
  })

  it("makes jobs' own placement the default profile, unless there is one", () => {
    const profiles = (jobs: object): unknown =>
      JSON.parse(dataOf(render({ ...minimal, jobs }))["OLAKE_JOB_PROFILES"] ?? "null")
    const nodeSelector = { pool: "a" }
    assert.isNull(profiles({}))
    assert.deepStrictEqual(profiles({ nodeSelector }), { "0": { nodeSelector } })
    assert.deepStrictEqual(profiles({ nodeSelector, profiles: { "0": {}, "7": {} } }), { "0": {}, "7": {} })
  })

  it("restarts workers where their environment or secrets change, and not for jobs' placement", () => {
    const template = (over: object) =>
      JSON.stringify((find(render({ ...minimal, ...over }), "Deployment").spec as Workload).template)
    assert.strictEqual(
      template({ jobs: { profiles: { "7": {} }, mapping: { "8": { a: "b" } } } }),
      template({})
    )
    assert.notStrictEqual(template({ worker: { logLevel: "debug" } }), template({}))
    assert.notStrictEqual(template({ database: { ...minimal.database, password: "q" } }), template({}))
  })

  it("watches metrics that there are", () => {
    const rules = find(render(everything), "PrometheusRule")
    const used = `${JSON.stringify(rules.spec)}${read("helm/files/dashboard.json")}`
    const names = new Set(used.match(/\b(?:olake_worker|temporal)_[a-z0-9_]+/g))
    const sources = readdirSync(path.join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => read(path.join("src", file)))
      .join("\n")
    const own = [...sources.matchAll(/(?:Metric\.\w+|callSeconds)\(\s*"(\w+)"/g)].map(
      ([, name]) => `olake_worker_${name}`
    )
    const documented = [...read("docs/metrics.md").matchAll(/`(temporal_[a-z_]+)`/g)].map(
      ([, name]) => name ?? ""
    )
    const known = new Set([...own, ...documented])
    assert.isAbove(names.size, 8)
    assert.deepStrictEqual(
      [...names].filter((name) => !known.has(name.replace(/_(?:bucket|sum|count)$/, ""))),
      []
    )
  })

  it("every alert has its row in docs/operations.md", () => {
    const alerts = [...read("helm/files/alerts.yaml").matchAll(/^- alert: (\w+)/gm)].map(([, name]) => name)
    const rows = [...read("docs/operations.md").matchAll(/^\| `(Olake\w+)` \|/gm)].map(([, name]) => name)
    assert.deepStrictEqual(rows, alerts)
  })
})

/** One line a right: `get pods/log`. */
const flatten = (rules: ReadonlyArray<Rule>): ReadonlyArray<string> =>
  rules
    .flatMap(({ resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}`))
    )
    .toSorted()

/** The doctor's alone: it does without where it has no right to them. */
type AskedByDoctor = "listNodes" | "readClaim"

describe("the worker's rights", () => {
  const table = [...read("docs/security.md").matchAll(/^\| `([\w/]+)` \| ([a-z, ]+) \|/gm)].map(
    ([, resource = "", verbs = ""]) => ({ apiGroups: [""], resources: [resource], verbs: verbs.split(", ") })
  )

  it.live("in docs/security.md are those of the calls that it makes", () =>
    Effect.gen(function* () {
      const kubernetes = yield* KubernetesClient
      const { requests } = yield* LocalPods
      const meta = { name: "a", namespace: "default" }
      const pod = { apiVersion: "v1", kind: "Pod", metadata: meta, spec: { containers: [] } }
      const second = Duration.seconds(1)
      // Whoever adds a call is asked for it here.
      const calls: Readonly<
        Record<
          Exclude<keyof KubernetesClient["Service"], "namespace" | AskedByDoctor>,
          Effect.Effect<unknown, unknown>
        >
      > = {
        createPod: kubernetes.createPod(pod),
        readPod: kubernetes.readPod("a"),
        readPodLog: kubernetes.readPodLog("a", "connector"),
        listPods: kubernetes.listPods("a=b"),
        watchPods: Stream.runDrain(kubernetes.watchPods("a=b", "1", second)),
        listConfigMap: kubernetes.listConfigMap("a"),
        watchConfigMap: Stream.runDrain(kubernetes.watchConfigMap("a", "1", second)),
        createSecret: kubernetes.createSecret({ metadata: meta }),
        mayI: kubernetes.mayI("create", "secrets"),
        server: kubernetes.server,
        whoAmI: kubernetes.whoAmI,
        tryPod: kubernetes.tryPod(pod),
        deletePod: kubernetes.deletePod("a", "u")
      }
      for (const call of Object.values(calls)) yield* Effect.ignore(Effect.timeout(call, "3 seconds"))
      // Everybody may ask what he may.
      const used = Object.keys(requests()).filter(
        (kind) => !/accessreviews|selfsubjectreviews|version/.test(kind)
      )
      assert.deepStrictEqual(flatten(table), used.toSorted())
    }).pipe(
      Effect.provide(
        KubernetesClient.layer.pipe(
          Layer.provide(
            Layer.unwrap(
              Effect.map(LocalPods, ({ kubeconfigPath }) =>
                testConfigLayer({ kubernetes: { kubeconfig: kubeconfigPath } })
              )
            )
          ),
          Layer.provideMerge(LocalPods.layer())
        )
      )
    )
  )

  it.skipIf(helmProgram === undefined)("in the chart's Role are the same", () => {
    const { rules = [] } = find(render(minimal), "Role")
    assert.deepStrictEqual(flatten(rules), flatten(table))
    const fewer = find(render({ ...minimal, rbac: { createSecrets: false, followConfigMap: false } }), "Role")
    assert.deepStrictEqual([...new Set(fewer.rules?.flatMap(({ resources }) => resources))].toSorted(), [
      "pods",
      "pods/log"
    ])
  })
})

describe("the chart's documents", () => {
  it("helm/README.md has the values as they are: npm run chart-readme", () => {
    const readme = read("helm/README.md")
    assert.strictEqual(readme, withTable(readme, read("helm/values.yaml")))
  })

  it("the image starts the worker as `npm start` does", () => {
    const { scripts, version } = JSON.parse(read("package.json")) as {
      scripts: { start: string }
      version: string
    }
    const dockerfile = read("Dockerfile")
    const [, variables = "", flags = ""] =
      /^(\S+=.*) exec node (.*) dist\/main\.js$/.exec(scripts.start) ?? []
    const [, entrypoint = "[]"] = /^ENTRYPOINT (.*)$/m.exec(dockerfile) ?? []
    assert.deepStrictEqual(JSON.parse(entrypoint), ["node", ...flags.split(" "), "/app/dist/main.js"])
    assert.match(dockerfile, new RegExp(`^ENV .*\\b${variables}\\b`, "m"))
    assert.include(read("helm/Chart.yaml"), `\nappVersion: ${version}\n`)
  })
})
