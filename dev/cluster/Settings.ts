import { join, resolve } from "node:path"

export const kubernetesVersion = "v1.34.4"

export const stateFolder = resolve(process.env["OLAKE_CLUSTER_DIR"] || "/var/tmp/olake-cluster")
export const kubeconfigFile = join(stateFolder, "admin.kubeconfig")
export const containerdSocket = join(stateFolder, "containerd/containerd.sock")
export const podLogsFolder = join(stateFolder, "pod-logs")

export const inState = (...parts: ReadonlyArray<string>): string => join(stateFolder, ...parts)

/** The host's address on the Pods' bridge: the API server, the kubelet and the tests' servers listen here. */
export const hostAddress = "10.244.0.1"
export const bridge = {
  name: "cni-local0",
  network: "olake-cluster",
  subnet: "10.244.0.0/16",
  prefixLength: 16
}
export const serviceSubnet = "10.96.0.0/16"
export const apiServiceAddress = "10.96.0.1"

export const nodeName = "local"
export const pauseImage = "localhost/pause:1"
export const ports = {
  api: 16443,
  etcd: 12379,
  etcdPeer: 12380,
  kubelet: 16250,
  proxyHealth: 16256,
  proxyMetrics: 16249
}
export const apiUrl = `https://${hostAddress}:${ports.api}`
