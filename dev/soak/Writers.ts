/** What the connectors' own notes say: who wrote when, and from where to where. Pure. */

/** One connector's life, in seconds of the machine's uptime, and what it counted. */
export interface Interval {
  readonly run: string
  readonly begin: number
  readonly end: number
  readonly from: number
  readonly to: number
}

/** Lines of writers.log: `<uptime> begin|beat|end <counter>`. One that was killed has no end: its last line counts. */
export const intervalsOf = (run: string, log: string): ReadonlyArray<Interval> => {
  const intervals: Array<Interval> = []
  for (const line of log.split("\n")) {
    const [, time = "", what = "", counter = ""] = /^([\d.]+) (begin|beat|end) (\d+)$/.exec(line) ?? []
    if (what === "") continue
    const last = intervals.at(-1)
    if (what === "begin" || last === undefined) {
      intervals.push({
        run,
        begin: Number(time),
        end: Number(time),
        from: Number(counter),
        to: Number(counter)
      })
    } else intervals[intervals.length - 1] = { ...last, end: Number(time), to: Number(counter) }
  }
  return intervals
}

export interface Judgement {
  /** Pairs of connectors of one job that wrote at the same time. */
  readonly secondWriters: ReadonlyArray<string>
  /** Connectors that began behind where the one before had saved. */
  readonly lostCheckpoints: ReadonlyArray<string>
}

/**
 * @param intervals of one job
 * @param saved what its row counts at the end
 */
export const judge = (jobId: number, intervals: ReadonlyArray<Interval>, saved: number): Judgement => {
  const secondWriters: Array<string> = []
  const lostCheckpoints: Array<string> = []
  const inOrder = intervals.toSorted((one, other) => one.begin - other.begin)
  const said = ({ run, begin, end, from, to }: Interval) => `${run} ${begin}-${end} s (${from}-${to})`
  let latest: Interval | undefined
  for (const interval of inOrder) {
    if (latest !== undefined && interval.begin < latest.end) {
      secondWriters.push(`job ${jobId}: ${said(latest)} beside ${said(interval)}`)
    }
    if (latest !== undefined && interval.from < latest.to) {
      lostCheckpoints.push(`job ${jobId}: ${said(interval)} began behind ${said(latest)}`)
    }
    if (latest === undefined || interval.end >= latest.end) latest = interval
  }
  if (latest !== undefined && saved < latest.to) {
    lostCheckpoints.push(`job ${jobId}: its row counts ${saved}, but ${said(latest)} came further`)
  }
  return { secondWriters, lostCheckpoints }
}
