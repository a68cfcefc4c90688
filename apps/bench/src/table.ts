import type { Row, Side } from "./rows.ts"

/** What the rounds of a row answered, per child, by side. */
export interface Results {
  readonly row: Row
  readonly rounds: Map<Side, ReadonlyArray<number>>
}

const sides: ReadonlyArray<Side> = ["coppice", "heard", "effect", "otp"]

/** Lays out the medians, with the range of the rounds beside them and the ratios at the end. */
export const table = (results: ReadonlyArray<Results>, otpRelease: string | undefined): string => {
  const otp = otpRelease === undefined ? "OTP" : `OTP ${otpRelease}`
  const header = ["per child", "", "coppice", "", "heard", "", "Effect", "", otp, "", "/ Effect", `/ ${otp}`]
  return layOut([header, ...results.map(lineOf)])
}

const lineOf = ({ row, rounds }: Results): ReadonlyArray<string> => {
  const cells = sides.flatMap((side) => {
    const values = rounds.get(side)
    if (values === undefined) return ["–", ""]
    const mark = side === "otp" && row.otpAtMost !== undefined ? "*" : ""
    return [`${number(median(values))}${mark}`, values.length > 1 ? range(values) : ""]
  })
  const ratio = (to: Side) => {
    const [ours, theirs] = [rounds.get("coppice"), rounds.get(to)]
    return ours === undefined || theirs === undefined ? "–" : (median(ours) / median(theirs)).toFixed(2)
  }
  return [row.title, row.unit, ...cells, ratio("effect"), ratio("otp")]
}

const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const range = (values: ReadonlyArray<number>): string =>
  `${number(Math.min(...values))}..${number(Math.max(...values))}`

const number = (value: number): string => value < 100 ? value.toFixed(2) : value.toFixed(0)

// By column: titles, units and ranges stand to the left, numbers to the right.
const alignment = "llrlrlrlrlrr"

const layOut = (lines: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const align = (cell: string, column: number) =>
    alignment[column] === "r" ? ` ${cell.padStart(widths[column]!)}` : cell.padEnd(widths[column]!)
  return lines.map((line) => line.map(align).join(" ").trimEnd()).join("\n")
}
