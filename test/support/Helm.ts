/** Helm and kubectl as users call them, with the chart of this repository. */
import { loadAllYaml } from "@kubernetes/client-node"
import { execFile, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { findHelm } from "../../dev/cluster/programs/Helm.ts"
import { inState } from "../../dev/cluster/Settings.ts"
import { findProgram } from "../../dev/cluster/Shell.ts"

export const CHART = path.resolve(import.meta.dirname, "../../helm")
export const RELEASE = "olake-workers"

export type Values = Readonly<Record<string, unknown>>

/** What every API object has, and what tests look at. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly data?: Readonly<Record<string, string>>
  readonly rules?: ReadonlyArray<Rule>
  readonly spec?: unknown
}

export interface Rule {
  readonly apiGroups: ReadonlyArray<string>
  readonly resources: ReadonlyArray<string>
  readonly resourceNames?: ReadonlyArray<string>
  readonly verbs: ReadonlyArray<string>
}

const findOrSkip = (): string | undefined => {
  const program = findHelm()
  if (program !== undefined) return program
  const command = "npm run cluster -- up builds it"
  if (process.env["OLAKE_TEST_CLUSTER"] === "required") throw new Error(`there is no helm: ${command}`)
  console.warn(`SKIPPED: tests of the chart: there is no helm; ${command}`)
  return undefined
}

/** Undefined where it is not to be had: then its tests are skipped, and say so. */
export const helmProgram: string | undefined = findOrSkip()

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Helm's own files go into the folder. */
const environment = (home: string, kubeconfig: string): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: home,
  KUBECONFIG: kubeconfig
})

/** Without a cluster. The values are a file's. */
export const helm = (command: ReadonlyArray<string>, values: Values = {}): Ran => {
  const home = mkdtempSync(path.join(tmpdir(), "olake-helm-"))
  try {
    const file = path.join(home, "values.json")
    writeFileSync(file, JSON.stringify(values))
    const { status, stdout, stderr } = spawnSync(helmProgram ?? "helm", [...command, "--values", file], {
      env: environment(home, "/dev/null"),
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024
    })
    return { code: status, stdout, stderr }
  } finally {
    rmSync(home, { recursive: true })
  }
}

/** What an installation with these values consists of, tests included, as YAML. */
export const renderText = (values: Values, namespace: string): string => {
  const { code, stdout, stderr } = helm(["template", RELEASE, CHART, "--namespace", namespace], values)
  if (code !== 0) throw new Error(stderr)
  return stdout
}

export const render = (values: Values, namespace = "olake"): ReadonlyArray<Manifest> =>
  loadAllYaml(renderText(values, namespace)).filter((manifest: Manifest | null) => manifest !== null)

export const find = (manifests: ReadonlyArray<Manifest>, kind: string, name?: string): Manifest => {
  const found = manifests.find(
    ({ kind: is, metadata }) => is === kind && (name === undefined || metadata.name === name)
  )
  if (found === undefined) throw new Error(`no ${kind} ${name ?? ""} was rendered`)
  return found
}

const execute = (program: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(program, args, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : null
      resolve({ code, stdout, stderr })
    })
  })

const checked = async (what: string, ran: Promise<Ran>): Promise<string> => {
  const { code, stdout, stderr } = await ran
  if (code !== 0) throw new Error(`${what} ended with ${code}: ${stderr}${stdout}`)
  return stdout
}

/** Both in a namespace of a cluster; a command that fails is an error with what it printed. */
export const commands = (kubeconfig: string, namespace: string, home: string) => {
  const env = environment(home, kubeconfig)
  const built = inState("bin/kubectl")
  const program = existsSync(built) ? built : (findProgram("kubectl") ?? "kubectl")
  const tryKubectl = (...args: ReadonlyArray<string>) => execute(program, ["-n", namespace, ...args], env)
  return {
    tryKubectl,
    kubectl: (...args: ReadonlyArray<string>) => checked(`kubectl ${args.join(" ")}`, tryKubectl(...args)),
    helm: (...args: ReadonlyArray<string>) =>
      checked(`helm ${args.join(" ")}`, execute(helmProgram ?? "helm", ["-n", namespace, ...args], env))
  }
}
