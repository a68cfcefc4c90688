import type { Line, Report } from "./report.ts"
import { type Side, sides } from "./rows.ts"

/** The table in Markdown, laid out so that it reads as text too, with what it was measured on. */
export const toMarkdown = (report: Report): string => [about(report), table(report), ...notes(report.rows)].join("\n\n")

const about = ({ commit, machine, quick, rounds, versions }: Report): string => {
  const { cores, cpu, memoryGiB, os } = machine
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")
  const how = `Median of ${rounds === 1 ? "one round" : `${rounds} rounds`}${
    quick ? " (one round for 100 000)" : ""
  }, ± half their range.`
  return `${how} Lower is better.\nCommit ${commit}, ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${os}, ${peers}.`
}

const compared = ["floor", "effect", "otp", "elixir"] as const

const headings: { readonly [S in Side]: string } = {
  coppice: "Coppice",
  floor: "floor",
  effect: "Effect",
  otp: "OTP",
  elixir: "Elixir"
}

const table = ({ rows }: Report): string => {
  const header = [
    "row",
    "n",
    "unit",
    ...sides.map((side) => headings[side]),
    ...compared.map((side) => `÷ ${headings[side]}`)
  ]
  const lines = rows.map((line, place) => [
    // Once for all of its sizes.
    rows[place - 1]?.name === line.name ? "" : line.title,
    thousands(line.n),
    line.unit,
    ...sides.map((side) => cell(line, side)),
    ...compared.map((side) => number(line.ratios[side]))
  ])
  return layOut([header, ...lines], (column) => column === 0 || column === 2)
}

const cell = (line: Line, side: Side): string => {
  const spread = line.spread[side]
  const value = line[side]
  if (value === null || spread === null) return "–"
  const [least, greatest] = spread
  return least === greatest
    ? number(value)
    : `${number(value)} ±${Math.round(((greatest - least) / 2 / value) * 100)}%`
}

const number = (value: number | null): string =>
  value === null ? "–" : value >= 100 ? thousands(Math.round(value)) : value.toFixed(2)

const thousands = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, " ")

const layOut = (lines: ReadonlyArray<ReadonlyArray<string>>, isText: (column: number) => boolean): string => {
  const widths = lines[0]!.map((_, column) => Math.max(3, ...lines.map((line) => line[column]!.length)))
  const [header, ...others] = lines.map((line) =>
    line.map((cell, column) => isText(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))
  )
  const rule = widths.map((width, column) => isText(column) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)
  return [header!, rule, ...others].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
}

// Why there is a dash, each reason once with the rows it holds for.
const notes = (lines: ReadonlyArray<Line>): ReadonlyArray<string> => {
  const reasons = new Map<string, Set<string>>()
  for (const { missing, name } of lines) {
    for (const side of sides) {
      const reason = missing[side]
      if (reason === undefined) continue
      const key = `${headings[side]} ${reason}`
      reasons.set(key, (reasons.get(key) ?? new Set()).add(name))
    }
  }
  if (reasons.size === 0) return []
  return [
    `Not measured: ${Array.from(reasons, ([reason, names]) => `${reason} (${[...names].join(", ")})`).join("; ")}.`
  ]
}

const opening = "<!-- bench -->"
const closing = "<!-- /bench -->"

/** A text with what is between its two marks replaced; `undefined` where it has none. */
export const replaceSection = (text: string, section: string): string | undefined => {
  const from = text.indexOf(opening)
  const to = text.indexOf(closing, from)
  if (from < 0 || to < 0) return undefined
  return `${text.slice(0, from)}${opening}\n\n${section}\n\n${text.slice(to)}`
}
