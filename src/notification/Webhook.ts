/** Alerts to a project's webhook, in the form that Slack takes. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Post from "./Post.ts"

export interface Alert {
  readonly jobId: number
  readonly jobName: string
  readonly error: string
  /** Milliseconds since the epoch. */
  readonly lastRunTime: number
}

/** The alert did not reach its webhook. Says the host only: the path is the secret that lets one post. */
export class WebhookError extends Schema.TaggedError<WebhookError>()("WebhookError", {
  host: Schema.String,
  problem: Schema.String,
  isPassing: Schema.Boolean,
  retryAfter: Schema.optionalKey(Schema.Number)
}) {
  override get message(): string {
    const where = this.host === "" ? "" : ` (host ${this.host})`
    const advice = this.isPassing
      ? `Tried ${TRIES} times. Is that host well, and can the worker reach it?`
      : "Set the URL again in the UI."
    return `The alert was not sent: webhook_alert_url of project settings${where}: ${this.problem}. ${advice}`
  }
  /** `send` itself has tried again. */
  readonly isRetryable = false
}

const TRIES = 4
const LONGEST_ERROR = 2_500
const LIMIT = Duration.seconds(10)
const LONGEST_WAIT = 30

/** Text inside back quotes that cannot end them; JSON with half a character of a cut text is refused by some. */
const quoted = (text: string): string => text.replaceAll("`", "'").toWellFormed()

/** One back quote holds one line. */
const quotedLine = (text: string): string => quoted(text).replace(/\s+/g, " ")

const shortened = (text: string): string =>
  text.length <= LONGEST_ERROR ? text : `${text.slice(0, LONGEST_ERROR - 1)}…`

const time = (millis: number): string =>
  `${new Date(millis).toISOString().slice(0, 19).replace("T", " ")} UTC`

const LINE = "-".repeat(43)
const NO_ERROR = "No critical error lines found. See full logs for details."

/** The Go worker's words (olake-helm, worker/utils/notifications/webhook.go): people have filters on them. */
export const alertText = ({ jobId, jobName, error, lastRunTime }: Alert): string => {
  const shown = quoted(shortened(error.trim() === "" ? NO_ERROR : error))
  return [
    "🚨 *Sync Failure Detected!* ",
    `${LINE} `,
    `• *Job ID:* \`${jobId}\` `,
    `• *Job Name:* \`${quotedLine(jobName)}\` `,
    `• *Error:* \`\`\`${shown}\`\`\` `,
    `• *Last Run Time:* ${time(lastRunTime)} `,
    `${LINE} `,
    ""
  ].join("\n\n")
}

/** After the server's own wish; else 1, 2 and 4 s. */
const again = Schedule.exponential("1 second").pipe(
  Schedule.jittered,
  Schedule.upTo({ times: TRIES - 1 }),
  Schedule.setInputType<WebhookError>(),
  Schedule.while(({ input }) => input.isPassing),
  Schedule.modifyDelay(({ input, duration }) =>
    Effect.succeed(Duration.max(duration, Duration.seconds(Math.min(input.retryAfter ?? 0, LONGEST_WAIT))))
  )
)

export class Webhook extends Context.Service<
  Webhook,
  { readonly send: (url: Redacted.Redacted, alert: Alert) => Effect.Effect<void, WebhookError> }
>()("olake-worker/notification/Webhook") {
  static readonly layer = Layer.effect(
    Webhook,
    Effect.gen(function* () {
      const post = yield* Post.make
      const sendOnce = Effect.fnUntraced(function* (url: URL, text: string) {
        const failing = (problem: string, isPassing: boolean, retryAfter?: number) =>
          new WebhookError({
            host: url.host,
            problem,
            isPassing,
            ...(retryAfter === undefined ? {} : { retryAfter })
          })
        const { status, retryAfter } = yield* post(url.href, { text }, LIMIT).pipe(
          Effect.mapError((problem) => failing(problem, true))
        )
        if (status >= 200 && status < 300) return
        const redirected = status >= 300 && status < 400 ? ", which is not followed" : ""
        return yield* failing(
          `it answered with status ${status}${redirected}`,
          status === 429 || status >= 500,
          retryAfter
        )
      })
      return Webhook.of({
        send: Effect.fnUntraced(function* (secret, alert) {
          const given = Redacted.value(secret)
          const url = URL.canParse(given) ? new URL(given) : undefined
          if (url === undefined || !/^https?:$/.test(url.protocol)) {
            return yield* new WebhookError({
              host: "",
              problem: "must be an http or https URL",
              isPassing: false
            })
          }
          yield* sendOnce(url, alertText(alert)).pipe(Effect.retry(again))
        })
      })
    })
  ).pipe(Layer.provide(Post.layer))
}
