import { mkdir, symlink } from "node:fs/promises"
import { join } from "node:path"
import { hasDefaultServiceAccount, isApiReady, isNodeReady } from "./Readiness.ts"
import { makeCertificates, pki } from "./node/Certificates.ts"
import { containerdConfigFile, tokenFile, writeConfiguration } from "./node/Configuration.ts"
import { down } from "./Down.ts"
import { ensureHelm } from "./programs/Helm.ts"
import { loadPauseImage } from "./images/Images.ts"
import { startKubelet } from "./node/Kubelet.ts"
import { makeBridge } from "./node/Network.ts"
import { checkPrerequisites, findPluginFolder } from "./programs/Prerequisites.ts"
import { findRunning, programNames, start, waitFor } from "./node/Processes.ts"
import { ensurePrograms } from "./programs/Programs.ts"
import {
  bridge,
  containerdSocket,
  hostAddress,
  inState,
  kubeconfigFile,
  nodeName,
  podLogsFolder,
  ports,
  serviceSubnet
} from "./Settings.ts"
import { run } from "./Shell.ts"

const etcdUrl = `http://127.0.0.1:${ports.etcd}`
const kubeconfig = `--kubeconfig=${kubeconfigFile}`

const etcdArguments = [
  "--unsafe-no-fsync",
  "--log-level=warn",
  `--data-dir=${inState("etcd")}`,
  `--listen-client-urls=${etcdUrl}`,
  `--advertise-client-urls=${etcdUrl}`,
  `--listen-peer-urls=http://127.0.0.1:${ports.etcdPeer}`
]

/** Pod logs and exec need the last three: the API server calls the kubelet by address and shows it a certificate. */
const apiServerArguments = [
  `--etcd-servers=${etcdUrl}`,
  `--bind-address=${hostAddress}`,
  `--advertise-address=${hostAddress}`,
  `--secure-port=${ports.api}`,
  `--tls-cert-file=${pki.certificate("apiserver")}`,
  `--tls-private-key-file=${pki.key("apiserver")}`,
  `--client-ca-file=${pki.certificate("ca")}`,
  `--token-auth-file=${tokenFile}`,
  `--service-account-key-file=${pki.serviceAccountPublicKey}`,
  `--service-account-signing-key-file=${pki.key("service-account")}`,
  "--service-account-issuer=https://kubernetes.default.svc",
  `--service-cluster-ip-range=${serviceSubnet}`,
  "--authorization-mode=Node,RBAC",
  "--allow-privileged=true",
  "--kubelet-preferred-address-types=InternalIP",
  `--kubelet-client-certificate=${pki.certificate("kubelet-client")}`,
  `--kubelet-client-key=${pki.key("kubelet-client")}`
]

const controllerManagerArguments = [
  kubeconfig,
  "--secure-port=0",
  "--leader-elect=false",
  "--use-service-account-credentials=true",
  `--service-account-private-key-file=${pki.key("service-account")}`,
  `--root-ca-file=${pki.certificate("ca")}`,
  `--cluster-signing-cert-file=${pki.certificate("ca")}`,
  `--cluster-signing-key-file=${pki.key("ca")}`
]

const schedulerArguments = [kubeconfig, "--secure-port=0", "--leader-elect=false"]

/** Connection tracking is left as it is: its settings are the host's, and read-only in most containers. */
const proxyArguments = [
  kubeconfig,
  "--proxy-mode=nftables",
  `--cluster-cidr=${bridge.subnet}`,
  `--hostname-override=${nodeName}`,
  `--healthz-bind-address=127.0.0.1:${ports.proxyHealth}`,
  `--metrics-bind-address=127.0.0.1:${ports.proxyMetrics}`,
  "--conntrack-max-per-core=0",
  "--conntrack-tcp-timeout-established=0",
  "--conntrack-tcp-timeout-close-wait=0"
]

export const isUp = async (): Promise<boolean> =>
  programNames.every((name) => findRunning(name) !== undefined) && (await isNodeReady())

const stateFolders = ["pki", "etcd", "log", "pids", "cni", "containerd", "kubelet", "bin"]

const prepare = async (programs: string, helm: string, pluginFolder: string): Promise<void> => {
  await Promise.all(stateFolders.map((folder) => mkdir(inState(folder), { recursive: true, mode: 0o700 })))
  await mkdir(podLogsFolder, { recursive: true })
  await symlink(join(programs, "kubectl"), inState("bin/kubectl"))
  await symlink(helm, inState("bin/helm"))
  await makeCertificates()
  await writeConfiguration(pluginFolder)
  await makeBridge()
}

const isContainerdReady = async (): Promise<boolean> => {
  try {
    await run("ctr", ["--address", containerdSocket, "version"])
    return true
  } catch {
    return false
  }
}

const startPrograms = async (programs: string, signal: AbortSignal): Promise<void> => {
  const program = (name: string): string => join(programs, name)
  start("containerd", "containerd", ["--config", containerdConfigFile])
  start("etcd", program("etcd"), etcdArguments)
  start("kube-apiserver", program("kube-apiserver"), apiServerArguments)
  await waitFor("containerd answers", isContainerdReady, { on: "containerd", seconds: 30, signal })
  await loadPauseImage(program("pause"))
  await waitFor("the API server is ready", isApiReady, { on: "kube-apiserver", seconds: 90, signal })
  start("kube-controller-manager", program("kube-controller-manager"), controllerManagerArguments)
  start("kube-scheduler", program("kube-scheduler"), schedulerArguments)
  startKubelet(programs)
  start("kube-proxy", program("kube-proxy"), proxyArguments)
  await waitFor("the node is Ready", isNodeReady, { on: "kubelet", seconds: 90, signal })
  await waitFor("the default ServiceAccount exists", hasDefaultServiceAccount, {
    on: "kube-controller-manager",
    seconds: 60,
    signal
  })
}

export interface UpOptions {
  readonly install: boolean
  readonly signal: AbortSignal
}

export const up = async ({ install, signal }: UpOptions): Promise<"already up" | "started"> => {
  if (await isUp()) return "already up"
  await checkPrerequisites({ install })
  const programs = await ensurePrograms()
  const helm = await ensureHelm()
  await down()
  try {
    await prepare(programs, helm, findPluginFolder() ?? "")
    await startPrograms(programs, signal)
  } catch (error) {
    await down()
    throw error
  }
  return "started"
}
