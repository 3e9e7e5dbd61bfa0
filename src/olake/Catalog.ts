/**
 * A job's catalog: which streams there are, and which of them move. One file, `streams.json`, or since OLake's split
 * catalogs two. Pure.
 */
import type { JobFile } from "./Job.ts"
import { inMount, STREAMS_FILE } from "./Workdir.ts"

export const AVAILABLE_FILE = "available_streams.json"
export const SELECTED_FILE = "selected_streams.json"

/** JSON texts. A connector that is given flags of both forms refuses them. */
export type Catalog =
  | { readonly form: "whole"; readonly streams: string }
  | { readonly form: "split"; readonly available: string; readonly selected: string }

/** The flags that name a catalog's files. `--streams` and `--catalog` are the same flag. */
const FLAGS = {
  whole: ["--catalog", "--streams"],
  split: ["--available-streams", "--selected-streams"]
} as const

const SPLIT_ARGS: ReadonlyArray<string> = [
  "--available-streams",
  inMount(AVAILABLE_FILE),
  "--selected-streams",
  inMount(SELECTED_FILE)
]

/** Without the flag and its value, in either spelling: `--flag value`, `--flag=value`. */
export const without = (args: ReadonlyArray<string>, flag: string): ReadonlyArray<string> =>
  args.filter(
    (arg, index) => arg !== flag && !arg.startsWith(`${flag}=`) && (index === 0 || args[index - 1] !== flag)
  )

const has = (args: ReadonlyArray<string>, flags: ReadonlyArray<string>): boolean =>
  args.some((arg) => flags.some((flag) => arg === flag || arg.startsWith(`${flag}=`)))

/** Whether the arguments name a split catalog. */
export const isSplit = (args: ReadonlyArray<string>): boolean => has(args, FLAGS.split)

/**
 * Arguments that name the catalog in its form, whichever form they named before: a schedule may be older than the
 * conversion of its job. Arguments that fit already stay as they are.
 */
export const withCatalog = (args: ReadonlyArray<string>, form: Catalog["form"]): ReadonlyArray<string> => {
  if (form === "whole" && has(args, FLAGS.whole) && !isSplit(args)) return args
  const others = [...FLAGS.whole, ...FLAGS.split].reduce(without, args)
  return [...others, ...(form === "split" ? SPLIT_ARGS : ["--catalog", inMount(STREAMS_FILE)])]
}

export const filesOf = (catalog: Catalog): ReadonlyArray<JobFile> =>
  catalog.form === "whole"
    ? [{ name: STREAMS_FILE, content: catalog.streams, isPrivate: false }]
    : [
        { name: AVAILABLE_FILE, content: catalog.available, isPrivate: false },
        { name: SELECTED_FILE, content: catalog.selected, isPrivate: false }
      ]

/** What a column holds where OLake's UI has put nothing there. */
const isBlank = (text: string | null | undefined): boolean =>
  ["", "null", "{}", `""`].includes((text ?? "").replace(/\s/g, ""))

/** The columns of a job's row that hold its catalog; those of split catalogs are undefined where the table has none. */
export interface CatalogColumns {
  readonly streamsConfig: string | null
  readonly availableStreams?: string | null | undefined
  readonly selectedStreams?: string | null | undefined
}

/**
 * The catalog that the row has now, or the columns that it lacks. What a converted job has left in `streams_config` may be
 * old or empty: it counts for jobs without a split catalog only. One half of a split catalog is none.
 */
export const catalogOf = (row: CatalogColumns): Catalog | ReadonlyArray<string> => {
  const { streamsConfig, availableStreams, selectedStreams } = row
  const missing = [
    ...(isBlank(availableStreams) ? ["available_streams_config"] : []),
    ...(isBlank(selectedStreams) ? ["selected_streams_config"] : [])
  ]
  if (missing.length === 0)
    return { form: "split", available: availableStreams ?? "", selected: selectedStreams ?? "" }
  if (missing.length === 1) return missing
  const isOlderTable = availableStreams === undefined && selectedStreams === undefined
  const streams = streamsConfig ?? ""
  return streams === "" || (!isOlderTable && isBlank(streams))
    ? ["streams_config"]
    : { form: "whole", streams }
}
