import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { identify } from "./node/Processes.ts"
import { stateFolder } from "./Settings.ts"
import { ClusterError } from "./Shell.ts"

const lockFile = `${stateFolder}.lock`

const holder = (): number | undefined => {
  const [pid = "", startedAt] = readFileSync(lockFile, "utf8").trim().split(" ")
  return identify(Number(pid))?.startedAt === startedAt ? Number(pid) : undefined
}

const take = (): void => {
  const me = identify(process.pid)
  try {
    writeFileSync(lockFile, `${process.pid} ${me?.startedAt ?? ""}\n`, { flag: "wx" })
  } catch {
    const pid = holder()
    if (pid !== undefined) throw new ClusterError(`another cluster command is running (pid ${pid})`)
    rmSync(lockFile, { force: true })
    take()
  }
}

/** Beside the state folder, as `down` removes that; left behind by a killed command, it counts for nothing. */
export const withLock = async <A>(use: () => Promise<A>): Promise<A> => {
  take()
  try {
    return await use()
  } finally {
    rmSync(lockFile, { force: true })
  }
}
