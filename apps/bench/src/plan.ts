import { isOfMemory, isQuick, type Measurement, missing, type Row, type Side, sides, sizes } from "./rows.ts"

/** What one process is asked to measure. */
export interface Job {
  readonly round: number
  readonly side: Side
  /** Measurements and sizes: `life:1000`. */
  readonly wanted: ReadonlyArray<string>
}

/** A measurement for a number of children. */
interface Case {
  readonly measurement: Measurement
  readonly n: number
}

// Memory comes last: its collections throw away the compiled code that all else has warmed up.
const cases = (rows: ReadonlyArray<Row>): ReadonlyArray<Case> =>
  [...new Set(rows.map(({ measurement }) => measurement))]
    .toSorted((a, b) => Number(isOfMemory(a)) - Number(isOfMemory(b)))
    .flatMap((measurement) => sizes[measurement].map((n) => ({ measurement, n })))

const wantedBy = (rows: ReadonlyArray<Row>, side: Side, cases: ReadonlyArray<Case>): ReadonlyArray<string> =>
  cases.filter(({ measurement, n }) =>
    rows.some((row) => row.measurement === measurement && missing(row, side, n) === undefined)
  ).map(({ measurement, n }) => `${measurement}:${n}`)

/** One side after the other in each round, and another one first in the next. */
const alternating = (
  rounds: number,
  jobsOf: (round: number, side: Side) => ReadonlyArray<string>
): ReadonlyArray<Job> => {
  const jobs: Array<Job> = []
  for (let round = 1; round <= rounds; round++) {
    const first = (round - 1) % sides.length
    for (const side of [...sides.slice(first), ...sides.slice(0, first)]) {
      jobs.push({ round, side, wanted: jobsOf(round, side) })
    }
  }
  return jobs.filter(({ wanted }) => wanted.length > 0)
}

/** Each measurement and size has a process of its own, and all sides have theirs before the next is measured. */
export const fullPlan = (rows: ReadonlyArray<Row>, rounds: number): ReadonlyArray<Job> =>
  cases(rows)
    .flatMap((each) => alternating(rounds, (_, side) => wantedBy(rows, side, [each])))
    .toSorted((a, b) => a.round - b.round)

/**
 * One process per side and round, for the time that processes take to start. What has more than a thousand children is
 * measured in the first round alone, and apart.
 */
export const quickPlan = (rows: ReadonlyArray<Row>, rounds: number): ReadonlyArray<Job> => {
  const quick = cases(rows).filter(({ measurement, n }) => isQuick(measurement, n))
  const small = alternating(rounds, (_, side) => wantedBy(rows, side, quick.filter(({ n }) => n <= 1000)))
  const large = alternating(1, (_, side) => wantedBy(rows, side, quick.filter(({ n }) => n > 1000)))
  return [...small, ...large].toSorted((a, b) => a.round - b.round)
}
