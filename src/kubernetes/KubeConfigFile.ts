/** Where the API server is and who we are: a kubeconfig file, or the cluster that this process runs in. */
import { KubeConfig } from "@kubernetes/client-node"
import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"

export class KubernetesConfigError extends Error {
  readonly _tag = "KubernetesConfigError"
  readonly isRetryable = false
}

export const loadKubeConfig = (path: string | undefined) =>
  Effect.try({
    try: () => {
      const kubeConfig = new KubeConfig()
      if (path !== undefined) kubeConfig.loadFromFile(path)
      else if (existsSync("/var/run/secrets/kubernetes.io/serviceaccount/token")) kubeConfig.loadFromCluster()
      else kubeConfig.loadFromDefault()
      if (!kubeConfig.getCurrentCluster()?.server) throw new Error("it names no current cluster")
      return kubeConfig
    },
    catch: (cause) =>
      new KubernetesConfigError(
        `Kubernetes: cannot use ${path === undefined ? "the default kubeconfig" : `KUBECONFIG=${path}`}: ${
          cause instanceof Error ? cause.message : String(cause)
        }. Set KUBECONFIG to a kubeconfig file, or run in a cluster with a ServiceAccount.`
      )
  })
