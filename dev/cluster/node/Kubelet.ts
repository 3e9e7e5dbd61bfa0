/** The kubelet of a running cluster: stopped and started anew, as a node that is rebooted or set up otherwise. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { isNodeReady } from "../Readiness.ts"
import { kubeletConfig, kubeletConfigFile } from "./Configuration.ts"
import { start, stop, waitFor } from "./Processes.ts"
import { ensurePrograms } from "../programs/Programs.ts"
import { hostAddress, inState, kubeconfigFile, nodeName } from "../Settings.ts"

const kubeletArguments = [
  `--kubeconfig=${kubeconfigFile}`,
  `--config=${kubeletConfigFile}`,
  `--root-dir=${inState("kubelet")}`,
  `--cert-dir=${inState("kubelet/pki")}`,
  `--hostname-override=${nodeName}`,
  `--node-ip=${hostAddress}`
]

export const startKubelet = (programs: string): void =>
  start("kubelet", join(programs, "kubelet"), kubeletArguments)

/** @param over what its configuration has besides, until the next restart */
export const restartKubelet = async (over: Readonly<Record<string, unknown>> = {}): Promise<void> => {
  const programs = await ensurePrograms()
  await stop("kubelet")
  await writeFile(kubeletConfigFile, JSON.stringify({ ...kubeletConfig, ...over }))
  startKubelet(programs)
  const signal = AbortSignal.timeout(90_000)
  await waitFor("the node is Ready", isNodeReady, { on: "kubelet", seconds: 90, signal })
}
