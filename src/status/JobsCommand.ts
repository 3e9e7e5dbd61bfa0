/** `olake-worker jobs`: asks a worker for its runs, as the page does, and prints them. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { settings } from "../config/settings.ts"
import { bounded } from "../Schedules.ts"
import { JobsDocument } from "./Document.ts"
import { type Look, render } from "./Terminal.ts"

const flags = {
  watch: Flag.Boolean("watch").pipe(Flag.withDescription("Go on, every 2 s"), Flag.withDefault(false)),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print the worker's answer itself, one line of JSON"),
    Flag.withDefault(false)
  ),
  url: Flag.String("url").pipe(
    Flag.withDescription("Of a worker's port of health; this machine's HEALTH_PORT where not given"),
    Flag.filter(
      (url) => URL.canParse(url) && /^https?:/i.test(url),
      () => "an http or https URL"
    ),
    Flag.optional
  )
}

/** No worker has told its runs. */
export class NoJobs extends Schema.TaggedError<NoJobs>()("NoJobs", {
  url: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.url}: ${this.problem}. Is a worker there? Give its port of health with --url, such as that of: kubectl -n olake port-forward deployment/olake-workers 8090`
  }
}

const PAUSE = "2 seconds"
const LIMIT = "10 seconds"

const { port } = settings.health

/** Where the environment has the worker of this machine, as in its container. */
const ownUrl = Config.Port(port.variable).pipe(
  Config.withDefault(Number(port.default)),
  Config.map((number) => `http://localhost:${number}`)
)

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(JobsDocument))

const ask = Effect.fnUntraced(function* (url: string) {
  const client = yield* HttpClient.HttpClient
  const fails = (problem: string) => new NoJobs({ url, problem })
  const response = yield* client
    .execute(HttpClientRequest.get(url))
    .pipe(Effect.mapError(({ message }) => fails(`no answer (${message})`)))
  if (response.status === 404) return yield* fails("it tells no runs; is OLAKE_STATUS_PAGE false there?")
  if (response.status !== 200) return yield* fails(`it answers ${response.status}`)
  const text = yield* Effect.mapError(response.text, () => fails("its answer broke off"))
  return yield* Effect.mapBoth(decode(text), {
    onFailure: () => fails("what answers is no worker of a version known here"),
    onSuccess: (document) => ({ text: text.trim(), document })
  })
})

const askOnce = (url: string) =>
  ask(url).pipe(bounded(LIMIT, (problem) => Effect.fail(new NoJobs({ url, problem }))))

const write = (text: string) => Effect.sync(() => void process.stdout.write(text))

const lookOf = (colours: boolean): Look => {
  const { isTTY, columns } = process.stdout
  return { colours: isTTY && colours, width: isTTY ? columns : undefined }
}

/** On a screen of its own, which is left as it was. */
const onScreen = <R>(look: Effect.Effect<ReadonlyArray<string>, never, R>) =>
  Effect.acquireUseRelease(
    write("\u001b[?1049h\u001b[?25l"),
    () =>
      Effect.flatMap(look, (lines) => {
        const shown = lines.slice(0, process.stdout.rows - 1)
        return write(`\u001b[H${shown.map((line) => `${line}\u001b[K`).join("\n")}\u001b[J`)
      }).pipe(Effect.andThen(Effect.sleep(PAUSE)), Effect.forever),
    () => write("\u001b[?25h\u001b[?1049l")
  )

export const jobs = Command.make(
  "jobs",
  flags,
  Effect.fnUntraced(function* ({ watch, json, url: given }) {
    const base = Option.isSome(given) ? given.value : yield* Effect.orDie(ownUrl)
    const url = `${base.replace(/\/+$/, "")}/jobs`
    const noColour = yield* Effect.orDie(Config.String("NO_COLOR").pipe(Config.withDefault("")))
    const lines = Effect.map(askOnce(url), ({ text, document }) =>
      json ? [text] : render(document, lookOf(noColour === ""))
    )
    const print = Effect.flatMap(lines, (all) => write(`${all.join("\n")}\n`))
    if (!watch) return yield* print
    if (process.stdout.isTTY && !json)
      return yield* onScreen(Effect.catch(lines, ({ message }) => Effect.succeed([message])))
    return yield* print.pipe(Effect.andThen(Effect.sleep(PAUSE)), Effect.forever)
  }, Effect.provide(NodeHttpClient.layerNodeHttp))
).pipe(
  Command.withDescription("Show what a worker's runs do, how far they are, and what to do about failures")
)
