/** `olake-worker doctor`: the report on standard output; fails where there is a problem. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { examine } from "./Doctor.ts"
import { reportOf, toJson, toText } from "./Report.ts"
import { DEFAULT_IMAGE, parseImage } from "./checks/SampleJob.ts"

/** What the report has said already. */
export class ProblemsFound extends Data.TaggedError("ProblemsFound") {}

const flags = {
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print one JSON document"), Flag.withDefault(false)),
  probe: Flag.Boolean("probe").pipe(
    Flag.withDescription("Run a Pod as a job's, too, and remove it; takes up to 6 minutes"),
    Flag.withDefault(false)
  ),
  image: Flag.String("image").pipe(
    Flag.withDescription("The connector and version of that Pod, such as postgres:v0.3.2"),
    Flag.withDefault(DEFAULT_IMAGE),
    Flag.filterMap(parseImage, (given) => `expected CONNECTOR:VERSION, got ${given}`)
  )
}

export const doctor = Command.make(
  "doctor",
  flags,
  Effect.fnUntraced(function* ({ json, probe, image }) {
    const report = reportOf(yield* examine({ image, probe }).pipe(Effect.provide(Logger.layer([]))))
    yield* Console.log(json ? toJson(report) : toText(report))
    if (report.status === "problem") return yield* new ProblemsFound()
  })
).pipe(Command.withDescription("Look at everything that this worker needs, and say what to mend"))
