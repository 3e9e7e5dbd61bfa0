/**
 * A small real connector behind OLake's command line: Postgres in, JSON Lines out. The local cluster and
 * the demo run it where OLake's own image cannot be had.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import * as Catalog from "./catalog/Catalog.ts"
import * as CatalogFiles from "./catalog/CatalogFiles.ts"
import { type CommandLine, parse } from "./CommandLine.ts"
import * as ConfigFile from "./ConfigFile.ts"
import { DestinationConfig, SourceConfig, SPEC } from "./Config.ts"
import { ConnectorError, describe } from "./ConnectorError.ts"
import { ConnectorLog } from "./ConnectorLog.ts"
import * as Source from "./Source.ts"
import { sync } from "./Sync.ts"

const checkDestination = Effect.fnUntraced(function* (config: DestinationConfig, folder: string) {
  const target = path.resolve(folder, ConfigFile.mounted(config.writer.local_path ?? "data"))
  const probe = path.join(target, `.check-${process.pid}`)
  yield* Effect.tryPromise({
    try: async () => {
      await fs.mkdir(target, { recursive: true })
      await fs.writeFile(probe, "")
      await fs.rm(probe)
    },
    catch: (cause) => new ConnectorError({ message: `cannot write to ${target}: ${describe(cause)}` })
  })
})

const check = Effect.fn("check")(function* ({ flags, folder }: CommandLine) {
  const log = yield* ConnectorLog
  const key = flags["encryption-key"]
  const report = (connectionStatus: { readonly status: string; readonly message?: string }) =>
    log.info({ type: "CONNECTION_STATUS", connectionStatus })
  yield* (
    flags.config === undefined
      ? ConfigFile.read(flags.destination, "destination", DestinationConfig, key).pipe(
          Effect.flatMap((config) => checkDestination(config, folder))
        )
      : ConfigFile.read(flags.config, "config", SourceConfig, key).pipe(
          Effect.flatMap((config) => Source.ping.pipe(Effect.provide(Source.layer(config))))
        )
  ).pipe(Effect.tapError((error) => report({ status: "FAILED", message: error.message })))
  yield* report({ status: "SUCCEEDED" })
})

const discover = Effect.fn("discover")(function* ({ flags, folder }: CommandLine) {
  const log = yield* ConnectorLog
  if (flags["convert-streams"] !== undefined)
    return yield* CatalogFiles.writeSplit(
      path.dirname(flags.catalog ?? "."),
      yield* CatalogFiles.required(flags)
    )
  const config = yield* ConfigFile.read(flags.config, "config", SourceConfig, flags["encryption-key"])
  const streams = yield* Source.discover.pipe(Effect.provide(Source.layer(config)))
  if (streams.length === 0) return yield* new ConnectorError({ message: "no streams found in connector" })
  const fresh = Catalog.propose(streams)
  const known = yield* CatalogFiles.given(flags)
  const catalog = known === undefined ? fresh : Catalog.merge(fresh, known)
  yield* ConfigFile.write(path.join(folder, "streams.json"), catalog)
  yield* CatalogFiles.writeSplit(folder, catalog)
  return yield* log.info({ type: "CATALOG", catalog })
})

const spec = Effect.fn("spec")(function* () {
  yield* (yield* ConnectorLog).info({ type: "SPEC", spec: SPEC })
})

const RUN = { spec, check, discover, sync }

const line = parse(process.argv.slice(2))

if (line === undefined) {
  process.exitCode = 1
} else {
  const stopsCleanly = line.command === "sync"
  RUN[line.command](line).pipe(
    Effect.tapCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : ConnectorLog.pipe(Effect.flatMap((log) => log.write("fatal", describe(Cause.squash(cause)))))
    ),
    Effect.provide(ConnectorLog.layer(line.folder)),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      teardown: (exit, done) =>
        done(
          Exit.isSuccess(exit) ||
            (stopsCleanly && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
            ? 0
            : 1
        )
    })
  )
}
