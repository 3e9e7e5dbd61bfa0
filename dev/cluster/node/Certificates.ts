import { generateKeyPairSync } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { apiServiceAddress, hostAddress, inState } from "../Settings.ts"
import { run } from "../Shell.ts"

const key = (name: string): string => inState("pki", `${name}.key`)
const certificate = (name: string): string => inState("pki", `${name}.crt`)
export const pki = { key, certificate, serviceAccountPublicKey: inState("pki/service-account.pub") }

const alternativeNames = [
  ...["127.0.0.1", hostAddress, apiServiceAddress].map((address) => `IP:${address}`),
  ...["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"].map((name) => `DNS:${name}`)
].join(",")

const newCertificate = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650".split(" ")

const make = async (
  name: string,
  subject: string,
  extensions: ReadonlyArray<string>,
  ca?: string
): Promise<void> => {
  const signer = ca === undefined ? [] : ["-CA", certificate(ca), "-CAkey", key(ca)]
  await run("openssl", [
    ...newCertificate,
    "-config",
    inState("pki/openssl.cnf"),
    "-subj",
    subject,
    "-keyout",
    key(name),
    "-out",
    certificate(name),
    ...signer,
    ...extensions.flatMap((extension) => ["-addext", extension])
  ])
}

const makeServiceAccountKeys = async (): Promise<void> => {
  const pair = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "sec1", format: "pem" }
  })
  await writeFile(key("service-account"), pair.privateKey, { mode: 0o600 })
  await writeFile(pki.serviceAccountPublicKey, pair.publicKey)
}

export const makeCertificates = async (): Promise<void> => {
  // The machine's own openssl.cnf would add extensions of its choice, among them CA:TRUE for every certificate.
  await writeFile(inState("pki/openssl.cnf"), "[req]\ndistinguished_name = subject\n[subject]\n")
  await make("ca", "/CN=olake-cluster", ["basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign,cRLSign"])
  await Promise.all([
    makeServiceAccountKeys(),
    make(
      "apiserver",
      "/CN=kube-apiserver",
      [`subjectAltName=${alternativeNames}`, "extendedKeyUsage=serverAuth"],
      "ca"
    ),
    make("kubelet-client", "/O=system:masters/CN=apiserver", ["extendedKeyUsage=clientAuth"], "ca")
  ])
}
