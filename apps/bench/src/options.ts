import { readFlags } from "./flags.ts"
import { rows } from "./rows.ts"

/** What `npm run bench` is asked for. */
export interface Options {
  readonly help: boolean
  readonly list: boolean
  readonly quick: boolean
  /** The names of the rows, all if none is given. */
  readonly only: ReadonlyArray<string>
  readonly runs: number | undefined
  readonly json: string | undefined
  readonly from: string | undefined
  readonly markdown: string | undefined
  readonly compare: string | undefined
  readonly bound: number
}

export const help = `npm run bench [-- options]

Measures what Coppice costs, side by side with the least raw Effect that looks the same (floor), with what one writes in
Effect today (effect), with OTP's supervisor (otp) and Elixir's DynamicSupervisor (elixir), where they are installed.
Lower is better.

  --quick           sizes up to 100 000 and few rounds, in under 50 seconds; without it 1 000 000 too,
                    a process for each figure and more rounds, which takes long
  --only ROW        this row; may be repeated
  --runs N          rounds, of which the table shows the median
  --json FILE       writes the figures to a file as well
  --markdown FILE   writes the table between <!-- bench --> and <!-- /bench --> of a file as well
  --from FILE       measures nothing, and takes the figures from a file that --json has written
  --compare REF     compares Coppice with that of a commit, in pairs of runs; the exit code is 1 if a row is slower
  --bound X         how many times slower a row may be in a comparison: 1.15 if it is not given
  --list            lists the rows
  --help            shows this text
`

/** The list of `--list`. */
export const list = (): string => {
  const width = Math.max(...rows.map(({ name }) => name.length))
  return rows.map(({ name, title, unit }) => `${name.padEnd(width)}  ${title}, in ${unit}\n`).join("")
}

const flags = {
  help: { type: "boolean" },
  list: { type: "boolean" },
  quick: { type: "boolean" },
  only: { type: "string", multiple: true },
  runs: { type: "string" },
  json: { type: "string" },
  from: { type: "string" },
  markdown: { type: "string" },
  compare: { type: "string" },
  bound: { type: "string" }
} as const

/** Reads the command line; the answer is a sentence where it cannot be understood. */
export const parse = (args: ReadonlyArray<string>): Options | string => {
  const values = readFlags(args, flags)
  if (typeof values === "string") return values
  const only = values.only ?? []
  const unknown = only.find((name) => !rows.some((row) => row.name === name))
  if (unknown !== undefined) return `there is no row "${unknown}"; there are ${rows.map(({ name }) => name).join(", ")}`
  const runs = values.runs === undefined ? undefined : Number(values.runs.at(-1))
  if (runs !== undefined && !(Number.isInteger(runs) && runs > 0)) return "--runs is a whole number above 0"
  const bound = Number(values.bound?.at(-1) ?? 1.15)
  if (!(bound >= 1 && bound < Infinity)) return "--bound is a number from 1 on"
  return {
    help: "help" in values,
    list: "list" in values,
    quick: "quick" in values,
    only,
    runs,
    json: values.json?.at(-1),
    from: values.from?.at(-1),
    markdown: values.markdown?.at(-1),
    compare: values.compare?.at(-1),
    bound
  }
}
