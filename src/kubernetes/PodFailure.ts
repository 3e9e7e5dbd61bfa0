import * as Data from "effect/Data"
export class PodFailure extends Data.TaggedError("PodFailure")<{ readonly class: string; readonly pod: string; readonly lastLine?: string }> {
  override get message() { return `${this.class} ${this.pod} ${this.lastLine ?? ""}` }
  get failureType() { return this.class }
  readonly isRetryable = false
  withLastLine(lastLine: string) { return new PodFailure({ class: this.class, pod: this.pod, lastLine }) }
}
