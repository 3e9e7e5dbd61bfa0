/** Certificates for tests, made by openssl. */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"

/** A CA (ca.crt), and a certificate of it for that host (server.crt, server.key). */
export const certify = (folder: string, host: string) => {
  const openssl = (line: string) => execFileSync("openssl", line.split(" "), { cwd: folder, stdio: "pipe" })
  const read = (name: string) => fs.readFileSync(path.join(folder, name), "utf8")
  openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.crt")
  openssl("req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr")
  fs.writeFileSync(path.join(folder, "names"), `subjectAltName=${host}`)
  openssl(
    "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt"
  )
  return { cert: read("server.crt"), key: read("server.key") }
}
