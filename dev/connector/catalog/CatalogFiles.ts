/** The catalog that the flags name, in one file or two; a connector that is given both forms refuses them. */
import * as Effect from "effect/Effect"
import * as path from "node:path"
import * as Catalog from "./Catalog.ts"
import type { CommandLine } from "../CommandLine.ts"
import * as ConfigFile from "../ConfigFile.ts"
import { ConnectorError } from "../ConnectorError.ts"

type Flags = CommandLine["flags"]

/** Undefined where no flag names one. */
export const given = Effect.fnUntraced(function* (flags: Flags) {
  const [available, selected] = [flags["available-streams"], flags["selected-streams"]]
  if (available === undefined && selected === undefined)
    return flags.catalog === undefined
      ? undefined
      : yield* ConfigFile.read(flags.catalog, "catalog", Catalog.Catalog)
  if (flags.catalog !== undefined)
    return yield* new ConnectorError({
      message: "--streams goes with neither --available-streams nor --selected-streams"
    })
  return Catalog.whole(
    yield* ConfigFile.read(available, "available-streams", Catalog.Available),
    yield* ConfigFile.read(selected, "selected-streams", Catalog.Selection)
  )
})

export const required = Effect.fnUntraced(function* (flags: Flags) {
  const catalog = yield* given(flags)
  return catalog ?? (yield* new ConnectorError({ message: "--catalog not passed" }))
})

export const writeSplit = Effect.fnUntraced(function* (folder: string, catalog: Catalog.Catalog) {
  const { available, selected } = Catalog.split(catalog)
  yield* ConfigFile.write(path.join(folder, "available_streams.json"), available)
  yield* ConfigFile.write(path.join(folder, "selected_streams.json"), selected)
})
