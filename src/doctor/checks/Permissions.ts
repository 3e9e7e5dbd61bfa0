/** The rights that the worker uses in the namespace of its jobs. */
import * as Effect from "effect/Effect"
import type { WorkerConfig } from "../../Config.ts"
import { KubernetesClient } from "../../kubernetes/api/KubernetesClient.ts"
import { type Check, ok, problem, warning } from "../Check.ts"

type Settings = WorkerConfig["Service"]

export interface Permission {
  readonly verb: string
  readonly resource: string
  /** The one object that it is about. */
  readonly name?: string
  /** What is lost without it; undefined where nothing works. */
  readonly lost?: string
}

export const permissionsOf = ({ jobs }: Settings): ReadonlyArray<Permission> => {
  const rules = {
    resource: "configmaps",
    name: jobs.rulesConfigMap,
    lost: "where jobs run changes with a restart only"
  }
  return [
    ...["get", "list", "watch", "create", "delete"].map((verb) => ({ verb, resource: "pods" })),
    { verb: "get", resource: "pods/log" },
    ...(jobs.secretKey === undefined || jobs.secretName !== undefined
      ? []
      : [
          {
            verb: "create",
            resource: "secrets",
            lost: "OLAKE_SECRET_KEY stands readable in the Pods of jobs; OLAKE_SECRET_NAME is another way out"
          }
        ]),
    { verb: "list", ...rules },
    { verb: "watch", ...rules }
  ]
}

/** Grants one right, to copy. */
const grant = (namespace: string, user: string, { verb, resource, name }: Permission): string => {
  const role = `olake-worker-${verb}-${resource.replace("/", "-")}`
  const only = name === undefined ? "" : ` --resource-name=${name}`
  return [
    `kubectl -n ${namespace} create role ${role} --verb=${verb} --resource=${resource}${only}`,
    `kubectl -n ${namespace} create rolebinding ${role} --role=${role} --user=${user}`
  ].join(" && ")
}

/** @param needs the check that the API server answers */
export const permissionChecks = (settings: Settings, needs: string): ReadonlyArray<Check<KubernetesClient>> =>
  permissionsOf(settings).map((permission) => {
    const { verb, resource, name, lost } = permission
    const what = `${verb} ${resource}${name === undefined ? "" : ` ${name}`}`
    const { namespace } = settings.kubernetes
    return {
      name: `kubernetes.permission.${verb}-${resource}`,
      needs,
      run: Effect.gen(function* () {
        const kubernetes = yield* KubernetesClient
        if (yield* kubernetes.mayI(verb, resource, name)) return ok(`may ${what}`)
        const user = (yield* kubernetes.whoAmI) ?? "USER"
        const fix = grant(namespace, user, permission)
        return lost === undefined
          ? problem(`${user} may not ${what} in namespace ${namespace}`, fix)
          : warning(`${user} may not ${what} in namespace ${namespace}: ${lost}`, fix)
      }),
      remedy: `kubectl auth can-i ${verb} ${resource} -n ${namespace}`
    }
  })
