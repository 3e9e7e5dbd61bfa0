/** OLake's two log forms: coloured lines on stdout, JSON lines in `logs/sync_<UTC>/olake.log`. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fs from "node:fs"
import * as path from "node:path"

export type Level = "info" | "error" | "fatal"
const COLOUR: Record<Level, number> = { info: 32, error: 31, fatal: 31 }

export class ConnectorLog extends Context.Service<
  ConnectorLog,
  {
    /** A text, or an object as OLake's protocol messages are. */
    readonly write: (level: Level, message: unknown) => Effect.Effect<void>
    readonly info: (message: unknown) => Effect.Effect<void>
  }
>()("olake-connector/ConnectorLog") {
  static readonly layer = (folder: string) =>
    Layer.effect(
      ConnectorLog,
      Effect.sync(() => {
        const file = openFile(folder)
        const write = (level: Level, message: unknown) =>
          Effect.sync(() => {
            const time = new Date().toISOString()
            if (file !== undefined) fs.writeSync(file, `${JSON.stringify({ level, message, time })}\n`)
            const text = typeof message === "string" ? message : JSON.stringify(message)
            process.stdout.write(
              `\u001B[90m${time}\u001B[0m \u001B[${COLOUR[level]}m${level.toUpperCase()}\u001B[0m ${text}\n`
            )
          })
        return ConnectorLog.of({ write, info: (message) => write("info", message) })
      })
    )
}

/** `spec` may run where nothing can be written: stdout alone must do then. */
const openFile = (folder: string): number | undefined => {
  const stamp = new Date().toISOString().slice(0, 19).replace("T", "_").replaceAll(":", "-")
  const dir = path.join(folder, "logs", `sync_${stamp}`)
  try {
    fs.mkdirSync(dir, { recursive: true })
    return fs.openSync(path.join(dir, "olake.log"), "a")
  } catch {
    return undefined
  }
}
