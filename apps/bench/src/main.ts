/**
 * `npm run bench`: what Coppice costs per child, beside raw Effect and OTP on the same machine in the same run.
 */
import { execFileSync } from "node:child_process"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { findOtp, type Otp } from "./otp.ts"
import { type Row, rows, type Side } from "./rows.ts"
import { type Results, table } from "./table.ts"

const help = `npm run bench [-- options]

Measures what Coppice costs per child, beside raw Effect and OTP. Each measurement has a process of its own.

  --quick       2 000 children and one round instead of 100 000 and five: shows that it runs, not how fast
  --only ROW    one row: ${rows.map(({ name }) => name).join(", ")}
  --help        this text
`

const { values: options } = parseArgs({
  options: { quick: { type: "boolean" }, only: { type: "string" }, help: { type: "boolean" } }
})

const rowFile = fileURLToPath(new URL("row.ts", import.meta.url))

const measure = (side: Side, row: Row, children: number, otp: Otp | undefined): number | undefined => {
  if (side === "otp") return otp?.measure(row.name, Math.min(children, row.otpAtMost ?? children))
  const flags = ["--expose-gc", "--conditions=@coppice/source"]
  return Number(execFileSync(process.execPath, [...flags, rowFile, side, row.name, String(children)]))
}

const bench = (selected: ReadonlyArray<Row>, children: number, rounds: number, otp: Otp | undefined): void => {
  const results: ReadonlyArray<Results> = selected.map((row) => ({ row, rounds: new Map() }))
  // One round of everything after the other, so that a slow minute of the machine does not meet one side alone.
  for (let round = 1; round <= rounds; round++) {
    for (const result of results) {
      for (const side of result.row.sides) {
        progress(`round ${round} of ${rounds}: ${result.row.title}, ${side}`)
        const taken = measure(side, result.row, children, otp)
        if (taken !== undefined) result.rounds.set(side, [...result.rounds.get(side) ?? [], taken])
      }
    }
  }
  progress("")
  const [features, others] = [true, false].map((on) => results.filter(({ row }) => row.sides.includes("with") === on))
  const tables = [others!, features!].filter((part) => part.length > 0).map((part) => table(part, otp?.release))
  process.stdout.write(`${[about(children, rounds, otp), ...tables, notes(otp)].join("\n\n")}\n`)
}

const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

const about = (children: number, rounds: number, otp: Otp | undefined): string => {
  const machine = `Node ${process.versions.node}, ${availableParallelism()} cores`
  const taken = rounds === 1 ? "one round" : `${rounds} rounds, median and min..max`
  const beside = otp === undefined ? "\nerl is not installed: no column for OTP." : ""
  return `${children} effect children, ${taken}, ${machine}.${beside}`
}

const notes = (otp: Otp | undefined): string =>
  [
    "Nothing is logged on any side. heard: the same with one listener to all events.",
    "with: the same with what the row's title names, beside coppice, which is without.",
    "Effect: a scope and a fiber for each child, and nobody who looks after them; for a use, a fiber forked and joined.",
    ...(otp === undefined ? [] : [
      "OTP's use: gen_server:call to a registered name.",
      "OTP: supervisor with its default settings, on all cores, and the smallest workers there can be.",
      "* with 10 000 children at most, as its window is a list that is walked at every restart."
    ])
  ].join("\n")

const main = (): void => {
  if (options.help === true) {
    process.stdout.write(help)
    return
  }
  const selected = rows.filter(({ name }) => options.only === undefined || name === options.only)
  if (selected.length === 0) throw new TypeError(`there is no row ${options.only}; see --help`)
  const otp = findOtp()
  try {
    if (options.quick === true) bench(selected, 2000, 1, otp)
    else bench(selected, 100_000, 5, otp)
  } finally {
    otp?.remove()
  }
}

main()
