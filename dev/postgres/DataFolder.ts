/** A server's data folder: initdb's work is done once for this user, each server gets a copy and a password of its own. */
import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { constants, existsSync } from "node:fs"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { promisify } from "node:util"
import type { Account, Programs } from "./PostgresPrograms.ts"

const FLAGS = ["--no-sync", "--locale=C", "--encoding=UTF8", "--auth=scram-sha-256"]

const run = promisify(execFile)

const own = async (folder: string, account: Account | undefined): Promise<void> => {
  if (account !== undefined) await run("chown", ["-R", `${account.uid}:${account.gid}`, folder])
}

/** Where the folder of these programs and this user is kept. */
const templateFor = async ({ postgres }: Programs, user: string): Promise<string> => {
  const { stdout } = await run(postgres, ["--version"])
  const [version = "unknown"] = /[\d.]+\w*/.exec(stdout) ?? []
  const cache = process.env["XDG_CACHE_HOME"] ?? path.join(os.homedir(), ".cache")
  return path.join(cache, "olake-worker", "postgres", `${version}-${process.arch}-${user}`)
}

/** Its password is known to nobody. */
const initialise = async (
  { initdb, account }: Programs,
  user: string,
  home: string,
  data: string
): Promise<void> => {
  const secret = path.join(home, "password")
  await fs.writeFile(secret, randomBytes(12).toString("hex"), { mode: 0o600 })
  await own(home, account)
  await run(initdb, [`--pgdata=${data}`, `--username=${user}`, `--pwfile=${secret}`, ...FLAGS], {
    ...account,
    cwd: "/"
  })
  await fs.rm(secret)
}

/** Of several that make one at a time, the first stays. */
const keep = async (data: string, template: string): Promise<void> => {
  await fs.mkdir(path.dirname(template), { recursive: true })
  const stage = await fs.mkdtemp(`${template}.new-`)
  await fs.cp(data, path.join(stage, "data"), { recursive: true })
  await fs.rename(path.join(stage, "data"), template).catch((error: unknown) => {
    if (!existsSync(template)) throw error
  })
  await fs.rm(stage, { recursive: true, force: true })
}

/** By a server for one user, who asks for no password. */
const setPassword = ({ postgres, account }: Programs, user: string, data: string, password: string) =>
  new Promise<void>((resolve, reject) => {
    const args = ["--single", "-D", data, "-c", "fsync=off", "postgres"]
    const child = execFile(postgres, args, { ...account, cwd: "/" }, (error) =>
      error === null ? resolve() : reject(error)
    )
    child.stdin?.end(`ALTER ROLE ${user} PASSWORD '${password}'\n`)
  })

/** Makes `home`/data for a server of these programs. */
export const makeData = async (
  programs: Programs,
  user: string,
  home: string,
  password: string
): Promise<string> => {
  const data = path.join(home, "data")
  const template = await templateFor(programs, user)
  if (existsSync(template)) await fs.cp(template, data, { recursive: true, mode: constants.COPYFILE_FICLONE })
  else {
    await initialise(programs, user, home, data)
    await keep(data, template)
  }
  await own(home, programs.account)
  await setPassword(programs, user, data, password)
  return data
}
