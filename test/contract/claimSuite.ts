/**
 * What a job's claim promises: one connector at a time, whoever asks, and each goes on from where the row stands.
 * Asserted alike on LocalPods and on a cluster; each test has workers and a job of its own.
 */
import { assert } from "@effect/vitest"
import { Client, Connection } from "@temporalio/client"
import { ApplicationFailure } from "@temporalio/common"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import * as fs from "node:fs"
import * as path from "node:path"
import type { PodObject } from "../../dev/cluster/Client.ts"
import { Postgres } from "../../dev/postgres/Postgres.ts"
import { sqlLayer } from "../../dev/postgres/Shop.ts"
import { TemporalServer } from "../../dev/temporal/TemporalServer.ts"
import { EXIT_FILE, RUN_FILE, STATE_FILE, STREAMS_FILE } from "../../src/olake/Workdir.ts"
import { eventually } from "../support/Conditions.ts"
import { jobsOf } from "../support/Jobs.ts"
import { anotherWorker, killed, onOwnQueue } from "../support/world/OwnWorkers.ts"
import {
  directoryOf,
  failedAs,
  insertProbeJob,
  requested,
  startsIn,
  stateOf,
  succeeded,
  untilBegun
} from "../support/world/Runs.ts"
import { tcpProxy, type TcpProxy } from "../support/world/TcpProxy.ts"
import { ended, start, uniqueId } from "../support/world/Workflows.ts"
import { World } from "../support/world/World.ts"

type It = (name: string, test: () => Effect.Effect<void, unknown, World>, timeout?: number) => void

/** What a workflow is started with: a request of the second contract, or the bare job id of the first. */
type Input = (jobId: number, workflowId: string) => unknown
export const bareJobId: Input = (jobId) => jobId

const LONG = "60 seconds"
/** A busy run is tried again after 30 s. */
const NEXT_TRY = "50 seconds"

const folderOf = (workflowId: string) =>
  Effect.map(World, ({ storage }) => path.join(storage, directoryOf(workflowId)))

const idFor = (jobId: number) => uniqueId(`sync-123-${jobId}`)

const ask = (jobId: number, id = idFor(jobId), input: Input = requested) =>
  Effect.as(start("RunSyncWorkflow", id, input(jobId, id)), id)

/** The Temporal of that world, through its own command line. */
const workflow = (command: string, id: string, ...args: ReadonlyArray<string>) =>
  Effect.flatMap(World, ({ temporal }) => temporal(["workflow", command, "--workflow-id", id, ...args]))

const reset = (id: string) => workflow("reset", id, "--type", "FirstWorkflowTask", "--reason", "a test")

/** Pods of the job, by whatever name. */
const podsOf = (jobId: number) =>
  Effect.flatMap(World, ({ platform }) =>
    Effect.promise(async () => {
      const { items } = JSON.parse(await platform.objects()) as { readonly items: ReadonlyArray<PodObject> }
      return items.filter(({ metadata }) => metadata.labels?.["olake.io/job-id"] === String(jobId))
    })
  )

const runInWorld = Effect.map(
  Effect.context<World>(),
  (context) =>
    <A, E>(effect: Effect.Effect<A, E, World>) =>
      Effect.runPromise(Effect.provideContext(effect, context))
)

const theOnePod = Effect.fnUntraced(function* (jobId: number) {
  const pods = yield* podsOf(jobId)
  assert.lengthOf(pods, 1)
  const { name, uid } = pods[0]!.metadata
  return { name, uid }
})

const noPodLeft = Effect.fnUntraced(function* (jobId: number, bound: Duration.Input = LONG) {
  const run = yield* runInWorld
  yield* eventually(
    `no Pod of job ${jobId} is left`,
    async () => (await run(podsOf(jobId))).length === 0 || undefined,
    bound
  )
})

const cancelled = Effect.fnUntraced(function* (id: string) {
  yield* workflow("cancel", id)
  assert.strictEqual((yield* ended(id)).status, "CANCELED")
})

const update = (statement: string, ...params: ReadonlyArray<unknown>) =>
  Effect.flatMap(World, ({ postgres }) =>
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(statement, params)).pipe(
      Effect.provide(sqlLayer()),
      Effect.provideService(Postgres, postgres)
    )
  )

/** Whether the job's image can be had from now on. */
const setImage = (jobId: number, version: "v0.0.0-dev" | "v9.9.9") =>
  update(
    `UPDATE "olake-dev-source" SET version = $2 WHERE id = (SELECT source_id FROM "olake-dev-job" WHERE id = $1::int)`,
    jobId,
    version
  )

/** Steps of the `count` scenario in the directory of a run, over all its connectors. */
const stepsOf = Effect.fnUntraced(function* (id: string) {
  const file = path.join(yield* folderOf(id), "writers.log")
  return () => {
    const lines = fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n").slice(0, -1) : []
    return lines.map((line) => {
      const [, step = "", counter] = line.split(" ")
      return { step, counter: Number(counter) }
    })
  }
})

/** What each connector of the run has begun with. */
const beginningsOf = (id: string) =>
  Effect.map(stepsOf(id), (steps) =>
    steps()
      .filter(({ step }) => step === "begin")
      .map(({ counter }) => counter)
  )

const untilSteps = Effect.fnUntraced(function* (id: string, step: string, count: number) {
  const steps = yield* stepsOf(id)
  yield* eventually(
    `${id} has done ${count} times ${step}`,
    () => steps().filter((one) => one.step === step).length >= count || undefined,
    LONG
  )
})

const counterOf = (jobId: number) =>
  Effect.map(stateOf(jobId), (state) => (JSON.parse(state ?? "{}") as { counter?: number }).counter)

/** A job that counts on from its state, so many steps a run. */
const countingJob = (steps: number) => insertProbeJob({ source: { scenario: "count", steps } })
const FOREVER = 10_000

/** A counting sync that runs until it is stopped. */
const countingSync = Effect.fnUntraced(function* () {
  const jobId = yield* countingJob(FOREVER)
  const id = yield* ask(jobId)
  yield* untilSteps(id, "beat", 2)
  return { jobId, id }
})

/** A sync of the `sleep` scenario that has begun. */
const sleepingSync = Effect.fnUntraced(function* (
  config: { readonly seconds?: number; readonly exit?: number },
  input?: Input
) {
  const jobId = yield* insertProbeJob({ source: { scenario: "sleep", ...config } })
  const id = yield* ask(jobId, undefined, input)
  const folder = yield* folderOf(id)
  yield* untilBegun(folder)
  return { jobId, id, folder }
})

/** Config files in clear text and drafts of them, in the directories of these runs. */
const credentialsOf = (...ids: ReadonlyArray<string>) =>
  Effect.map(World, ({ storage }) =>
    ids.flatMap((id) => {
      const folder = path.join(storage, directoryOf(id))
      if (!fs.existsSync(folder)) return []
      const names = fs.readdirSync(folder, { recursive: true, encoding: "utf8" })
      return names.filter((name) => /(?:source|destination)\.json/.test(path.basename(name)))
    })
  )

const noCredentials = Effect.fnUntraced(function* (...ids: ReadonlyArray<string>) {
  assert.deepStrictEqual(yield* credentialsOf(...ids), [])
})

interface Pending {
  readonly activityId: string
  readonly state: string
  readonly attempt?: number
  readonly lastFailure?: {
    readonly message?: string
    readonly applicationFailureInfo?: { readonly type?: string }
  }
}

const pendingOf = (id: string) =>
  Effect.map(workflow("describe", id, "-o", "json"), ({ stdout }) => {
    const described = JSON.parse(stdout || "{}") as { readonly pendingActivities?: ReadonlyArray<Pending> }
    return described.pendingActivities?.[0]
  })

/** Temporal's own interface, for what its command line cannot do, or asks whether it really should. */
const throughClient = <A>(call: (client: Client) => Promise<A>, address?: string) =>
  Effect.flatMap(World, ({ env }) =>
    Effect.promise(async () => {
      const connection = await Connection.connect({
        address: address ?? env["TEMPORAL_ADDRESS"] ?? env["TEMPORAL_HOST_PORT"] ?? ""
      })
      return call(new Client({ connection })).finally(() => connection.close())
    })
  )

/** Tells Temporal that the attempt's worker is lost, as a heartbeat that is overdue does after two minutes. */
const givenUp = Effect.fnUntraced(function* (id: string, address?: string) {
  const activityId = (yield* pendingOf(id))?.activityId ?? ""
  const lost = ApplicationFailure.create({
    type: "WorkerLost",
    message: "it is not heard of",
    nextRetryDelay: 50
  })
  yield* throughClient((client) => client.activity.fail({ workflowId: id, activityId }, lost), address)
})

const deleted = Effect.fnUntraced(function* (id: string) {
  const run = yield* runInWorld
  yield* throughClient(({ workflowService }) =>
    workflowService.deleteWorkflowExecution({ namespace: "default", workflowExecution: { workflowId: id } })
  )
  yield* eventually(
    "Temporal has forgotten it",
    async () => (await run(workflow("describe", id))).exitCode !== 0 || undefined,
    LONG
  )
})

/** What its pending activity has failed with, once it has; undefined where a Pod with that uid is gone before. */
const untilRefused = Effect.fnUntraced(function* (id: string, jobId: number, uid: string) {
  const run = yield* runInWorld
  return yield* eventually(
    `${id} is refused`,
    async () => {
      const failure = (await run(pendingOf(id)))?.lastFailure
      if (failure !== undefined)
        return { type: failure.applicationFailureInfo?.type, message: failure.message ?? "" }
      const pods = await run(podsOf(jobId))
      const others = pods.filter(({ metadata }) => metadata.uid !== uid)
      const writer = pods.find(({ metadata }) => metadata.uid === uid)
      if (others.length > 0) return { type: "a second writer", message: others[0]?.metadata.name ?? "" }
      if (writer?.metadata.deletionTimestamp !== undefined)
        return { type: "the writer is deleted", message: "" }
      return undefined
    },
    LONG
  )
})

/** What is left of a directory whose logs have been cleared away. */
const trim = Effect.fnUntraced(function* (id: string) {
  const folder = yield* folderOf(id)
  for (const name of fs.readdirSync(folder))
    if (![STATE_FILE, STREAMS_FILE, RUN_FILE].includes(name))
      fs.rmSync(path.join(folder, name), { recursive: true })
})

// 1. A connector that ended while no worker ran.

const endedAlone = (
  it: It,
  input: Input,
  said: string,
  check: (run: Effect.Success<ReturnType<typeof ended>>, id: string) => void
) => {
  for (const [how, remove] of [
    ["deleted", "remove"],
    ["deleted by force", "removeByForce"]
  ] as const)
    for (const exit of [0, 1])
      it(
        `a connector that ends with ${exit} while no worker lives, its Pod ${how}: ${exit === 0 ? said : "ConnectorFailed"}, and no second connector`,
        () =>
          onOwnQueue(
            Effect.gen(function* () {
              const { platform } = yield* World
              const { jobId, id, folder } = yield* sleepingSync({ seconds: 3, exit }, input)
              yield* killed
              yield* eventually(
                "the connector has ended",
                () => fs.existsSync(path.join(folder, EXIT_FILE)) || undefined
              )
              const pod = yield* theOnePod(jobId)
              yield* Effect.promise(() => platform[remove](pod.name))
              yield* noPodLeft(jobId)
              yield* givenUp(id)
              yield* anotherWorker()
              const run = yield* ended(id)
              assert.strictEqual(startsIn(folder), 1)
              // What it had reached is kept, however it ended.
              assert.include(yield* stateOf(jobId), "0/3")
              if (exit === 0) {
                succeeded(run)
                check(run, id)
              } else failedAs(run, "ConnectorFailed", "could not open the replication slot")
              yield* noPodLeft(jobId)
              yield* noCredentials(id)
            })
          ),
        120_000
      )
}

// 2. Workflow ids that come again.

/** A job whose first run has left a state in its directory, and whose row another has moved on from that. */
const movedOn = Effect.fnUntraced(function* (input?: Input) {
  const jobId = yield* countingJob(2)
  const first = yield* ask(jobId, undefined, input)
  succeeded(yield* ended(first))
  const second = yield* ask(jobId, undefined, input)
  succeeded(yield* ended(second))
  assert.deepStrictEqual(yield* beginningsOf(second), [2])
  assert.strictEqual(yield* counterOf(jobId), 4)
  return { jobId, id: first }
})

const AGAIN = {
  "is started again": (jobId: number, id: string, input?: Input) => Effect.asVoid(ask(jobId, id, input)),
  "is reset": (_: number, id: string) => Effect.asVoid(reset(id))
} as const

const idsAgain = (it: It, input?: Input) => {
  for (const [how, again] of Object.entries(AGAIN))
    for (const trimmed of [false, true])
      it(
        `a workflow that ${how} after others have moved the job on${trimmed ? ", its directory trimmed meanwhile" : ""}: begins where the row stands`,
        () =>
          onOwnQueue(
            Effect.gen(function* () {
              const { jobId, id } = yield* movedOn(input)
              if (trimmed) yield* trim(id)
              yield* again(jobId, id, input)
              yield* untilSteps(id, "end", trimmed ? 1 : 2)
              succeeded(yield* ended(id))
              assert.strictEqual((yield* beginningsOf(id)).at(-1), 4)
              assert.strictEqual(yield* counterOf(jobId), 6)
            })
          ),
        120_000
      )
}

const idsAgainWithoutConnector = (it: It) => {
  /** Started again, with a Pod whose connector never begins. */
  const stuck = Effect.fnUntraced(function* (trimmed: boolean) {
    const { jobId, id } = yield* movedOn()
    if (trimmed) yield* trim(id)
    yield* setImage(jobId, "v9.9.9")
    yield* ask(jobId, id)
    const run = yield* runInWorld
    yield* eventually("its Pod is there", async () => (await run(podsOf(jobId))).length === 1 || undefined)
    return { jobId, id }
  })
  for (const trimmed of [false, true]) {
    const and = trimmed ? ", its directory trimmed meanwhile" : ""
    it(
      `a workflow id that comes again and is cancelled before its connector begins${and}: the row stays as it was`,
      () =>
        onOwnQueue(
          Effect.gen(function* () {
            const { jobId, id } = yield* stuck(trimmed)
            yield* cancelled(id)
            assert.strictEqual(yield* counterOf(jobId), 4)
            yield* noPodLeft(jobId)
          })
        ),
      120_000
    )

    it(
      `a workflow id that comes again and is terminated before its connector begins${and}: the next run begins where the row stands`,
      () =>
        onOwnQueue(
          Effect.gen(function* () {
            const { jobId, id } = yield* stuck(trimmed)
            yield* workflow("terminate", id)
            yield* setImage(jobId, "v0.0.0-dev")
            const next = yield* ask(jobId)
            succeeded(yield* ended(next))
            assert.deepStrictEqual(yield* beginningsOf(next), [4])
            assert.strictEqual(yield* counterOf(jobId), 6)
          })
        ),
      120_000
    )
  }

  it(
    "a reset of a running sync: its Pod is removed, what it had reached is saved, and it goes on from there",
    () =>
      onOwnQueue(
        Effect.gen(function* () {
          const { jobId, id } = yield* countingSync()
          const before = yield* theOnePod(jobId)
          yield* reset(id)
          yield* untilSteps(id, "begin", 2)
          const steps = (yield* stepsOf(id))()
          const [first] = steps.filter(({ step }) => step === "end")
          assert.deepStrictEqual(yield* beginningsOf(id), [0, first?.counter])
          assert.notStrictEqual((yield* theOnePod(jobId)).uid, before.uid)
          yield* cancelled(id)
          assert.strictEqual(yield* counterOf(jobId), (yield* stepsOf(id))().at(-1)?.counter)
          yield* noCredentials(id)
        })
      ),
    120_000
  )
}

// 3. and 4. Others who may write the same job.

const forgotten = (it: It) =>
  it(
    "a sync whose workflow is deleted from Temporal: the next run removes its Pod, saves what it had reached and goes on",
    () =>
      onOwnQueue(
        Effect.gen(function* () {
          const { jobId, id } = yield* countingSync()
          yield* deleted(id)
          const next = yield* ask(jobId)
          yield* untilSteps(next, "begin", 1)
          const last = (yield* stepsOf(id))().at(-1)
          assert.strictEqual(last?.step, "end")
          assert.deepStrictEqual(yield* beginningsOf(next), [last?.counter])
          yield* noCredentials(id)
          yield* cancelled(next)
          yield* noCredentials(next)
        })
      ),
    120_000
  )

/** A second Temporal, of the same names. */
const anotherTemporal = Effect.gen(function* () {
  const { address, temporal } = Context.get(yield* Layer.build(TemporalServer.layer()), TemporalServer)
  return yield* anotherWorker({ TEMPORAL_ADDRESS: address }, { temporal })
})

const anotherQueue = Effect.suspend(() => {
  const taskQueue = uniqueId("queue")
  return anotherWorker({ TEMPORAL_TASK_QUEUE: taskQueue }, { taskQueue })
})

const anotherNamespace = Effect.gen(function* () {
  const { temporal } = yield* World
  const namespace = uniqueId("namespace")
  const run = yield* runInWorld
  const done = (args: ReadonlyArray<string>) =>
    eventually(
      args.join(" "),
      async () => (await run(temporal(args))).exitCode === 0 || undefined,
      "30 seconds"
    )
  const attribute = "search-attribute create --name OperationType --type Keyword".split(" ")
  for (const command of [["namespace", "create"], attribute])
    yield* done(["operator", ...command, "--namespace", namespace])
  return yield* anotherWorker(
    { TEMPORAL_NAMESPACE: namespace },
    { temporal: (args) => temporal([...args, "--namespace", namespace]) }
  )
})

const oneWriter = (it: It) => {
  const OTHERS = {
    "another workflow": { other: anotherWorker(), isForeign: false },
    "another Temporal with the same names": { other: anotherTemporal, isForeign: true },
    "another task queue": { other: anotherQueue, isForeign: false },
    "another Temporal namespace": { other: anotherNamespace, isForeign: true }
  }
  for (const [whose, { other, isForeign }] of Object.entries(OTHERS))
    it(
      `a sync of the same job by ${whose}: JobBusy, which names the owner and how it is ended, until that one ends`,
      () =>
        onOwnQueue(
          Effect.gen(function* () {
            const elsewhere = yield* other
            const there = Effect.provideService(World, elsewhere)
            const { jobId, id, folder } = yield* sleepingSync({})
            const pod = yield* theOnePod(jobId)

            const later = yield* there(ask(jobId))
            const refused = yield* there(untilRefused(later, jobId, pod.uid))
            assert.strictEqual(refused.type, "JobBusy", refused.message)
            for (const part of [
              id,
              pod.name,
              isForeign ? `kubectl delete pod ${pod.name}` : `temporal workflow cancel`
            ])
              assert.include(refused.message, part)
            assert.deepStrictEqual(yield* theOnePod(jobId), pod)
            const directory = yield* folderOf(later)
            assert.isFalse(fs.existsSync(path.join(directory, STATE_FILE)))
            assert.deepStrictEqual(yield* credentialsOf(later), [])

            yield* cancelled(id)
            assert.include(yield* stateOf(jobId), "0/2")
            assert.strictEqual(startsIn(folder), 1)
            yield* eventually(
              "the other one begins",
              () => fs.existsSync(path.join(directory, STATE_FILE)) || undefined,
              NEXT_TRY
            )
            yield* untilBegun(directory)
            yield* there(cancelled(later))
            yield* noPodLeft(jobId)
          })
        ),
      180_000
    )
}

// 5. and 6. A worker that is late.

/** A worker that reaches Postgres and Temporal by ways that can be closed. */
const behindProxies = (
  test: (proxies: {
    readonly database: TcpProxy
    readonly frontend: TcpProxy
  }) => Effect.Effect<void, unknown, World | Scope.Scope>
) =>
  Effect.gen(function* () {
    const { env } = yield* World
    const database = yield* tcpProxy(`${env["DB_HOST"]}:${env["DB_PORT"]}`)
    const frontend = yield* tcpProxy(env["TEMPORAL_ADDRESS"] ?? "")
    const [host = "", port = ""] = database.address.split(":")
    return yield* onOwnQueue(test({ database, frontend }), {
      DB_HOST: host,
      DB_PORT: port,
      TEMPORAL_ADDRESS: frontend.address
    })
  }).pipe(Effect.scoped)

interface Sync {
  readonly jobId: number
  readonly id: string
}
type During = (sync: Sync) => Effect.Effect<void, unknown, World | Scope.Scope>

/** Waits until the worker of this world no longer works on the run, or something else has happened. */
const untilLetGo = Effect.fnUntraced(function* (
  id: string,
  orElse = () => false,
  bound: Duration.Input = LONG
) {
  const { healthPort } = yield* World
  yield* eventually(
    "the late worker has let go of the run",
    async () => {
      const { runs } = await jobsOf(healthPort)
      const isOver = runs.some(({ workflowId, state }) => workflowId === id && state !== "active")
      return isOver || orElse() || undefined
    },
    bound
  )
})

/**
 * A worker that stands still after it has read the job's row and before it has made a Pod: Temporal sees it vanish. It
 * goes on once the rest has happened, beside another worker.
 */
const lateCreate = (
  steps: number,
  meanwhile: (sync: Sync & { readonly giveUp: Effect.Effect<void, unknown, World> }) => ReturnType<During>,
  afterwards: During
) =>
  Effect.flatMap(World, ({ env }) =>
    behindProxies(({ database, frontend }) =>
      Effect.gen(function* () {
        const { worker } = yield* World
        const jobId = yield* countingJob(steps)
        yield* database.mute
        const id = yield* ask(jobId)
        yield* eventually(
          "it reads the row",
          () => /pg_attribute|streams_config/.test(database.sent()) || undefined,
          LONG
        )
        yield* worker.signal("SIGSTOP")
        // What it has asked Temporal for must not be answered to nobody.
        yield* frontend.refuse
        const { DB_HOST = "", DB_PORT = "", TEMPORAL_ADDRESS = "" } = env
        yield* anotherWorker({ DB_HOST, DB_PORT, TEMPORAL_ADDRESS })
        yield* meanwhile({ jobId, id, giveUp: givenUp(id, TEMPORAL_ADDRESS) })
        // It hears nothing of Temporal before it has done what it was about to do, or has had the time to.
        yield* database.pass
        yield* worker.signal("SIGCONT")
        yield* Effect.ignore(untilLetGo(id, () => worker.output().includes("Pod created"), "15 seconds"))
        yield* frontend.pass
        yield* untilLetGo(id)
        yield* afterwards({ jobId, id })
        yield* noCredentials(id)
        assert.notInclude(worker.output(), "Pod created")
      })
    )
  )

const isOver: During = Effect.fnUntraced(function* ({ jobId }) {
  const pods = yield* podsOf(jobId)
  assert.deepStrictEqual(
    pods.map(({ metadata, status }) => `${metadata.name} ${status.phase}`),
    []
  )
})

const lateCreates = (it: It) => {
  const late = "a worker that stands still before it makes a Pod, and goes on"
  it(
    `${late} after another has run the sync to its end: no second connector, and nothing of it is left`,
    () =>
      lateCreate(
        2,
        Effect.fnUntraced(function* ({ jobId, id, giveUp }) {
          yield* giveUp
          succeeded(yield* ended(id))
          assert.strictEqual(yield* counterOf(jobId), 2)
        }),
        Effect.fnUntraced(function* (sync) {
          yield* isOver(sync)
          assert.deepStrictEqual(yield* beginningsOf(sync.id), [0])
          assert.strictEqual(yield* counterOf(sync.jobId), 2)
        })
      ),
    120_000
  )

  it(
    `${late} after the run was cancelled: no connector begins, and nothing of it is left`,
    () =>
      lateCreate(
        FOREVER,
        Effect.fnUntraced(function* ({ id, giveUp }) {
          const run = yield* runInWorld
          yield* workflow("cancel", id)
          yield* eventually(
            "its attempt is to end",
            async () => (await run(pendingOf(id)))?.state.includes("CANCEL_REQUESTED") || undefined,
            LONG
          )
          yield* giveUp
          assert.strictEqual((yield* ended(id)).status, "CANCELED")
        }),
        Effect.fnUntraced(function* (sync) {
          yield* isOver(sync)
          assert.deepStrictEqual(yield* beginningsOf(sync.id), [])
        })
      ),
    120_000
  )

  it(
    `${late} after the run was terminated: no connector begins, and nothing of it is left`,
    () =>
      lateCreate(
        FOREVER,
        ({ id }) => Effect.asVoid(workflow("terminate", id)),
        Effect.fnUntraced(function* (sync) {
          yield* isOver(sync)
          assert.deepStrictEqual(yield* beginningsOf(sync.id), [])
        })
      ),
    120_000
  )

  it(
    `${late} while another waits for the run's Pod: that Pod stays the only one, and its connector's files stay as they are`,
    () =>
      lateCreate(
        FOREVER,
        ({ id, giveUp }) => Effect.andThen(giveUp, untilSteps(id, "beat", 2)),
        Effect.fnUntraced(function* ({ jobId, id }) {
          yield* theOnePod(jobId)
          const count = (yield* stepsOf(id))().length
          yield* untilSteps(id, "beat", count + 1)
          yield* cancelled(id)
          assert.deepStrictEqual(yield* beginningsOf(id), [0])
          assert.strictEqual(yield* counterOf(jobId), (yield* stepsOf(id))().at(-1)?.counter)
          yield* noPodLeft(jobId)
        })
      ),
    120_000
  )
}

// 7. Credentials.

/** Drafts as a worker leaves them that is killed while it writes. */
const leaveDrafts = Effect.fnUntraced(function* (id: string) {
  const folder = yield* folderOf(id)
  for (const draft of ["source.json.worker-0.tmp", "destination.json.worker-7.tmp"])
    fs.writeFileSync(path.join(folder, draft), `{"password":"clear"}`)
})

/** Ways in which a running sync ends, in which it leaves nothing but what `then` says. */
const ENDS: Readonly<Record<string, During>> = {
  "a cancel": ({ id }) => cancelled(id),
  "a Pod that was deleted by hand": Effect.fnUntraced(function* ({ jobId, id }) {
    const { platform } = yield* World
    const { name } = yield* theOnePod(jobId)
    yield* Effect.promise(() => platform.remove(name))
    yield* untilSteps(id, "begin", 2)
    yield* cancelled(id)
  }),
  "a reset": Effect.fnUntraced(function* ({ id }) {
    yield* reset(id)
    yield* untilSteps(id, "begin", 2)
    yield* cancelled(id)
  }),
  "a death of its worker": Effect.fnUntraced(function* ({ id }) {
    yield* killed
    yield* anotherWorker()
    yield* cancelled(id)
  }),
  "a terminate, and the job's next run": Effect.fnUntraced(function* ({ jobId, id }) {
    yield* workflow("terminate", id)
    const next = yield* ask(jobId)
    yield* untilSteps(next, "begin", 1)
    yield* noCredentials(id)
    yield* cancelled(next)
    yield* noCredentials(next)
  })
}

const credentials = (it: It) => {
  for (const [end, during] of Object.entries(ENDS))
    it(
      `${end}: no config in clear text is left, nor a dead worker's draft of one`,
      () =>
        onOwnQueue(
          Effect.gen(function* () {
            const sync = yield* countingSync()
            assert.includeMembers([...(yield* credentialsOf(sync.id))], ["source.json", "destination.json"])
            yield* leaveDrafts(sync.id)
            yield* during(sync)
            yield* noCredentials(sync.id)
          })
        ),
      120_000
    )

  for (const exit of [0, 1])
    it(
      `a connector that ends with ${exit}: no config in clear text is left, nor a dead worker's draft of one`,
      () =>
        onOwnQueue(
          Effect.gen(function* () {
            const { id } = yield* sleepingSync({ seconds: 3, exit })
            yield* leaveDrafts(id)
            assert.strictEqual((yield* ended(id)).status, exit === 0 ? "COMPLETED" : "FAILED")
            yield* noCredentials(id)
          })
        ),
      90_000
    )
}

// 8. Pods that are over and cannot go.

const FINALIZER = "test.olake.io/held"

const heldPods = (it: It) => {
  for (const exit of [0, 1])
    it(
      `a Pod that is ${exit === 0 ? "Succeeded" : "Failed"} and held by a finalizer: its run ends all the same; the next one waits for its name, and says so`,
      () =>
        onOwnQueue(
          Effect.gen(function* () {
            const { platform } = yield* World
            const run = yield* runInWorld
            const { jobId, id } = yield* sleepingSync({ seconds: 4, exit })
            const pod = yield* theOnePod(jobId)
            yield* Effect.acquireRelease(
              Effect.promise(() => platform.hold(pod.name, [FINALIZER])),
              () => Effect.ignore(Effect.tryPromise(() => platform.hold(pod.name, [])))
            )
            yield* eventually(
              "the run is over",
              async () =>
                (await run(workflow("describe", id, "-o", "json"))).stdout.includes(
                  exit === 0 ? "EXECUTION_STATUS_COMPLETED" : "EXECUTION_STATUS_FAILED"
                ) || undefined,
              "40 seconds"
            )
            if (exit === 1)
              failedAs(yield* ended(id), "ConnectorFailed", "could not open the replication slot")
            assert.include(yield* stateOf(jobId), "0/3")
            assert.deepStrictEqual(yield* theOnePod(jobId), pod)
            yield* noCredentials(id)

            const next = yield* ask(jobId)
            const { worker } = yield* World
            yield* eventually(
              "the next run says what it waits for",
              async () => {
                const failure = (await run(pendingOf(next)))?.lastFailure?.message ?? ""
                const logged = worker.output().split("\n")
                return (
                  [failure, ...logged.filter((line) => line.includes(next))].some(
                    (text) => text.includes(pod.name) && /finalizer|still there/.test(text)
                  ) || undefined
                )
              },
              "80 seconds"
            )
            assert.deepStrictEqual(yield* theOnePod(jobId), pod)
            yield* Effect.promise(() => platform.hold(pod.name, []))
            yield* eventually(
              "the next run's connector has begun",
              async () =>
                (await run(podsOf(jobId))).some(({ metadata }) => metadata.uid !== pod.uid) || undefined,
              NEXT_TRY
            )
            const after = yield* ended(next)
            assert.strictEqual(after.status, exit === 0 ? "COMPLETED" : "FAILED", after.message)
            yield* noPodLeft(jobId)
          }).pipe(Effect.scoped)
        ),
      210_000
    )
}

// 9. One history, two installations.

const mixedReplicas = (it: It) => {
  for (const [whose, first, second] of [
    ["with OLAKE_CALLBACK_URL, by one without", true, false],
    ["without OLAKE_CALLBACK_URL, by one with it", false, true]
  ] as const)
    it(
      `a bare job id that a worker began ${whose}: is carried on as it was begun`,
      () =>
        Effect.flatMap(World, ({ heardAt }) => {
          const installed = (isChart: boolean) => ({
            OLAKE_CALLBACK_URL: isChart ? `${heardAt}/internal/worker/callback` : ""
          })
          return onOwnQueue(
            Effect.gen(function* () {
              const run = yield* runInWorld
              const { jobId, id, folder } = yield* sleepingSync({ seconds: 5 }, bareJobId)
              yield* killed
              yield* anotherWorker(installed(second))
              const history = yield* eventually(
                "the run is over, or stuck",
                async () => {
                  const { stdout } = await run(workflow("show", id, "-o", "json"))
                  const isOver = /EXECUTION_COMPLETED|EXECUTION_FAILED|WORKFLOW_TASK_FAILED/.test(stdout)
                  return isOver ? stdout : undefined
                },
                LONG
              )
              assert.deepStrictEqual(history.match(/TMPRL1100[^"]*|WORKFLOW_TASK_FAILED/g) ?? [], [])
              const end = yield* ended(id)
              succeeded(end)
              assert.strictEqual(startsIn(folder), 1)
              assert.include(yield* stateOf(jobId), "0/3")
              assert.strictEqual("response" in Object(end.result), first)
              yield* noPodLeft(jobId)
              yield* noCredentials(id)
            }),
            installed(first)
          )
        }),
      120_000
    )
}

export const claimSuite = (it: It): void => {
  endedAlone(it, requested, "Completed", (run, id) =>
    assert.deepStrictEqual(run.result, { response: `${directoryOf(id)}/state.json` })
  )
  idsAgain(it)
  idsAgainWithoutConnector(it)
  forgotten(it)
  oneWriter(it)
  lateCreates(it)
  credentials(it)
  heldPods(it)
  mixedReplicas(it)
}

/** Of bare job ids, in an installation of the first contract. */
export const firstClaimSuite = (it: It): void => {
  endedAlone(it, bareJobId, "Completed with its state", (run) =>
    assert.include(JSON.stringify(run.result), "0/3")
  )
  idsAgain(it, bareJobId)
}
