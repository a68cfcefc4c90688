import type { Row, Side } from "./rows.ts"

/** What the rounds of a row answered, per child, by side. */
export interface Results {
  readonly row: Row
  readonly rounds: Map<Side, ReadonlyArray<number>>
}

const sides: ReadonlyArray<Side> = ["coppice", "heard", "with", "effect", "otp"]

const ratios: ReadonlyArray<readonly [of: Side, to: Side]> = [
  ["with", "coppice"],
  ["coppice", "effect"],
  ["coppice", "otp"]
]

/** Lays out the medians, with the range of the rounds beside them and the ratios at the end. Who has no row has no column. */
export const table = (results: ReadonlyArray<Results>, otpRelease: string | undefined): string => {
  const isThere = (side: Side) => results.some(({ rounds }) => rounds.has(side))
  const shown = sides.filter(isThere)
  const compared = ratios.filter((pair) => pair.every(isThere))
  const names = { coppice: "coppice", heard: "heard", with: "with", effect: "Effect", otp: `OTP ${otpRelease}` }
  const header = [
    "per child",
    "",
    ...shown.flatMap((side) => [names[side], ""]),
    ...compared.map(([of, to]) => of === "coppice" ? `/ ${names[to]}` : `${names[of]} / ${names[to]}`)
  ]
  // Titles, units and ranges stand to the left, numbers to the right.
  const alignment = ["l", "l", ...shown.flatMap(() => ["r", "l"]), ...compared.map(() => "r")]
  return layOut(alignment, [header, ...results.map((result) => lineOf(result, shown, compared))])
}

const lineOf = ({ row, rounds }: Results, shown: typeof sides, compared: typeof ratios): ReadonlyArray<string> => {
  const cells = shown.flatMap((side) => {
    const values = rounds.get(side)
    if (values === undefined) return ["–", ""]
    const mark = side === "otp" && row.otpAtMost !== undefined ? "*" : ""
    return [`${number(median(values))}${mark}`, values.length > 1 ? range(values) : ""]
  })
  const quotients = compared.map((pair) => {
    const [of, to] = pair.map((side) => rounds.get(side))
    return of === undefined || to === undefined ? "–" : (median(of) / median(to)).toFixed(2)
  })
  return [row.title, row.unit, ...cells, ...quotients]
}

const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const range = (values: ReadonlyArray<number>): string =>
  `${number(Math.min(...values))}..${number(Math.max(...values))}`

const number = (value: number): string => value < 100 ? value.toFixed(2) : value.toFixed(0)

const layOut = (alignment: ReadonlyArray<string>, lines: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = alignment.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const align = (cell: string, column: number) =>
    alignment[column] === "r" ? ` ${cell.padStart(widths[column]!)}` : cell.padEnd(widths[column]!)
  return lines.map((line) => line.map(align).join(" ").trimEnd()).join("\n")
}
