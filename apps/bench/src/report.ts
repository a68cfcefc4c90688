import { isQuick, missing, type Row, type Side, sides, sizes } from "./rows.ts"
import type { Figure } from "./runner.ts"

/** A line of the table: a row for a number of children. Medians of the rounds, lower is better, null: not measured. */
export type Line = { readonly [S in Side]: number | null } & {
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly n: number
  /** The least and the greatest of the rounds. */
  readonly spread: { readonly [S in Side]: readonly [number, number] | null }
  /** How many times what this side takes Coppice does. */
  readonly ratios: { readonly [S in Exclude<Side, "coppice">]: number | null }
  /** Why a side has no figure. */
  readonly missing: { readonly [S in Side]?: string }
}

/** What was measured, where and on what. */
export interface Report {
  readonly commit: string
  readonly quick: boolean
  readonly rounds: number
  readonly seconds: number
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryGiB: number; readonly os: string }
  readonly versions: { readonly [name: string]: string }
  /** What went wrong: there are no figures of it. */
  readonly failures: ReadonlyArray<string>
  readonly rows: ReadonlyArray<Line>
}

/** The figures of all rounds, by side. */
export type Measured = ReadonlyMap<Side, ReadonlyArray<Figure>>

/** The lines of some rows; `excuses` says why a side has no figures that it should have. */
export const linesOf = (
  rows: ReadonlyArray<Row>,
  quick: boolean,
  measured: Measured,
  excuses: ReadonlyMap<Side, string>
): ReadonlyArray<Line> =>
  rows.flatMap((row) =>
    sizes[row.measurement]
      .filter((n) => !quick || isQuick(row.measurement, n))
      .map((n) => lineOf(row, n, measured, excuses))
  )

const lineOf = (row: Row, n: number, measured: Measured, excuses: ReadonlyMap<Side, string>): Line => {
  const { name, title, unit } = row
  const values = bySide((side) => {
    const figures = measured.get(side) ?? []
    return figures.filter((figure) => figure.row === name && figure.n === n).map(({ value }) => value)
  })
  const medians = bySide((side) => median(values[side]))
  const ratio = (side: Side) => {
    const [ours, theirs] = [medians.coppice, medians[side]]
    return ours === null || theirs === null ? null : ours / theirs
  }
  const reasons = sides.filter((side) => medians[side] === null).map((side) => {
    return [side, missing(row, side, n) ?? excuses.get(side) ?? "failed"]
  })
  return {
    name,
    title,
    unit,
    n,
    ...medians,
    spread: bySide((side) => values[side].length === 0 ? null : [Math.min(...values[side]), Math.max(...values[side])]),
    ratios: { floor: ratio("floor"), effect: ratio("effect"), otp: ratio("otp"), elixir: ratio("elixir") },
    missing: Object.fromEntries(reasons)
  }
}

const bySide = <A>(f: (side: Side) => A): { readonly [S in Side]: A } => ({
  coppice: f("coppice"),
  floor: f("floor"),
  effect: f("effect"),
  otp: f("otp"),
  elixir: f("elixir")
})

/** The middle of the sorted values, between two of them where their number is even; null of none. */
export const median = (values: ReadonlyArray<number>): number | null => {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
