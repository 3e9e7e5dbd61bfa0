import { randomBytes } from "node:crypto"
import { readFile, writeFile } from "node:fs/promises"
import { pki } from "./Certificates.ts"
import {
  apiUrl,
  bridge,
  containerdSocket,
  hostAddress,
  inState,
  kubeconfigFile,
  pauseImage,
  podLogsFolder,
  ports
} from "../Settings.ts"

export const tokenFile = inState("pki/tokens.csv")
export const containerdConfigFile = inState("containerd.toml")
export const kubeletConfigFile = inState("kubelet.json")

/** `restrict_oom_score_adj`: without CAP_SYS_RESOURCE runc cannot lower the score, and no sandbox starts. */
const containerdConfig = (pluginFolder: string): string => `version = 2
root = "${inState("containerd/root")}"
state = "${inState("containerd/state")}"
[grpc]
  address = "${containerdSocket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${inState("containerd/opt")}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${pluginFolder}"
    conf_dir = "${inState("cni")}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`

const networkConfig = {
  cniVersion: "0.4.0",
  name: bridge.network,
  plugins: [
    {
      type: "bridge",
      bridge: bridge.name,
      isGateway: true,
      ipMasq: false,
      ipam: {
        type: "host-local",
        ranges: [[{ subnet: bridge.subnet }]],
        routes: [{ dst: "0.0.0.0/0" }],
        dataDir: inState("cni-addresses")
      }
    }
  ]
}

/** Runs on cgroup v1 and v2, with swap, and on a nearly full disk; never collects images, as none can be pulled again. */
export const kubeletConfig = {
  apiVersion: "kubelet.config.k8s.io/v1beta1",
  kind: "KubeletConfiguration",
  address: hostAddress,
  port: ports.kubelet,
  healthzPort: 0,
  cgroupDriver: "cgroupfs",
  failSwapOn: false,
  failCgroupV1: false,
  containerRuntimeEndpoint: `unix://${containerdSocket}`,
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: pki.certificate("ca") }
  },
  authorization: { mode: "Webhook" },
  enforceNodeAllocatable: [],
  makeIPTablesUtilChains: false,
  imageGCHighThresholdPercent: 100,
  imageGCLowThresholdPercent: 99,
  evictionHard: { "memory.available": "100Mi" },
  podLogsDir: podLogsFolder,
  maxPods: 250,
  serializeImagePulls: false
}

const kubeconfig = async (token: string): Promise<unknown> => ({
  apiVersion: "v1",
  kind: "Config",
  clusters: [
    {
      name: "olake-cluster",
      cluster: {
        server: apiUrl,
        "certificate-authority-data": await readFile(pki.certificate("ca"), "base64")
      }
    }
  ],
  users: [{ name: "admin", user: { token } }],
  contexts: [{ name: "olake-cluster", context: { cluster: "olake-cluster", user: "admin" } }],
  "current-context": "olake-cluster"
})

const asJson = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

export const writeConfiguration = async (pluginFolder: string): Promise<void> => {
  const token = randomBytes(16).toString("hex")
  const secret = { mode: 0o600 }
  await Promise.all([
    writeFile(tokenFile, `${token},admin,admin,system:masters\n`, secret),
    writeFile(kubeconfigFile, asJson(await kubeconfig(token)), secret),
    writeFile(containerdConfigFile, containerdConfig(pluginFolder)),
    writeFile(inState("cni/10-bridge.conflist"), asJson(networkConfig)),
    writeFile(kubeletConfigFile, asJson(kubeletConfig))
  ])
}
