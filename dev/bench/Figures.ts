/** Measured values with their limit and what the Go worker needs, as a table and as JSON. Pure. */

export interface Figure {
  readonly group: string
  readonly name: string
  readonly unit: "ms" | "MiB" | "%" | "x" | "requests"
  readonly values: ReadonlyArray<number>
  /** The median must not be above it. */
  readonly limit?: number
  /** The Go worker's, measured on a machine of the same kind. */
  readonly go?: number
}

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

export const summary = (values: ReadonlyArray<number>): Summary => {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted((a, b) => a - b)
  const at = (index: number) => sorted[index] ?? Number.NaN
  const half = (sorted.length - 1) / 2
  return { median: (at(Math.floor(half)) + at(Math.ceil(half))) / 2, min: at(0), max: at(sorted.length - 1) }
}

/** One that could not be measured is over its limit too. */
export const isOver = ({ values, limit }: Figure): boolean =>
  limit !== undefined && !(summary(values).median <= limit)

const show = (value: number, { unit }: Figure): string => {
  if (Number.isNaN(value)) return "?"
  const digits = unit === "ms" ? (Math.abs(value) < 10 ? 1 : 0) : unit === "MiB" ? 1 : 2
  return value.toFixed(digits)
}

const HEADER = ["", "median", "min", "max", "unit", "n", "limit", "", "Go worker"]

const row = (figure: Figure): ReadonlyArray<string> => {
  const { median, min, max } = summary(figure.values)
  const { limit, go } = figure
  const single = figure.values.length < 2
  return [
    `  ${figure.name}`,
    show(median, figure),
    single ? "" : show(min, figure),
    single ? "" : show(max, figure),
    figure.unit,
    String(figure.values.length),
    limit === undefined ? "" : `<= ${limit}`,
    limit === undefined ? "" : isOver(figure) ? "OVER" : "ok",
    go === undefined ? "" : String(go)
  ]
}

export const table = (figures: ReadonlyArray<Figure>): string => {
  const groups = Map.groupBy(figures, ({ group }) => group)
  const rows = [...groups].flatMap(([group, members]) => [[group], ...members.map(row)])
  const widths = HEADER.map((title, column) =>
    // A group's title may run over the columns beside it.
    Math.max(
      title.length,
      ...rows.filter(({ length }) => length > 1).map((cells) => cells[column]?.length ?? 0)
    )
  )
  const line = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, column) => {
        const isText = [0, 4, 7].includes(column)
        return isText ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
      })
      .join("  ")
      .trimEnd()
  return [HEADER, ...rows].map(line).join("\n")
}

export const toJson = (figures: ReadonlyArray<Figure>): ReadonlyArray<unknown> =>
  figures.map((figure) => ({
    ...figure,
    ...summary(figure.values),
    ...(figure.limit === undefined ? {} : { over: isOver(figure) })
  }))
