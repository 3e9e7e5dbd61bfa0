/** What the demo prints: steps with their timing, and a progress bar; plain lines where nobody looks at a terminal. */
import * as Effect from "effect/Effect"

const fancy = process.stdout.isTTY && process.env["NO_COLOR"] === undefined

const paint = (code: string) => (text: string) => (fancy ? `\u001b[${code}m${text}\u001b[0m` : text)
export const dim = paint("90")
export const bold = paint("1")
const green = paint("32")
const red = paint("31")

const WIDTH = 64
const BAR = 28

export const line = (text = ""): void => {
  process.stdout.write(`${text}\n`)
}

/** Written over the last such line on a terminal; left out elsewhere. */
const transient = (text: string): void => {
  if (fancy) process.stdout.write(`\r\u001b[K${text}`)
}

const secondsSince = (begin: number): string => `${((performance.now() - begin) / 1000).toFixed(1)} s`

/** Runs one step of the demo; its line appears when it begins and is completed with what came of it. */
export const step = <A, E, R>(
  title: string,
  run: Effect.Effect<A, E, R>,
  tell: (result: A) => string = () => ""
) =>
  Effect.suspend(() => {
    const begin = performance.now()
    transient(`${dim("…")} ${title}`)
    const done = (mark: string, note: string) => {
      transient("")
      const padding = " ".repeat(Math.max(1, WIDTH - title.length))
      line(`${mark} ${title}${padding}${dim(secondsSince(begin).padStart(7))}`)
      if (note !== "") for (const text of note.split("\n")) line(`    ${text}`)
    }
    return run.pipe(
      Effect.tap((result) => Effect.sync(() => done(green("✓"), tell(result)))),
      Effect.tapCause(() => Effect.sync(() => done(red("✗"), "")))
    )
  })

/** Shows how far something has come, while it has. */
export const progress = (title: string, share: number, note: string): void => {
  const filled = Math.round(Math.min(1, share) * BAR)
  transient(`${dim("…")} ${title} ${green("█".repeat(filled))}${dim("░".repeat(BAR - filled))} ${note}`)
}
